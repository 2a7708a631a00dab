"""What goes out: the shape of every success, and how the translator's values become JSON."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from fastapi import Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from service.engine.hypothesis import FinishReason
from service.translation import (
    AttentionMaps,
    InspectedPair,
    InspectedSentence,
    SentenceTranslation,
    StageTimes,
    Translation,
)

Json = dict[str, Any]
AttentionMap = list[list[list[list[float]]]]
"""[layer][head][query][key]; each row sums to 1."""
_DECIMALS = 7
"""Beyond this a float32 probability has nothing more to say, and the reply is twice as long."""


class _Reply(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class MapsReply(_Reply):
    """Attention of one sentence pair; only the kinds that were asked for are there."""

    source_tokens: list[str]
    """Source pieces as the model saw them, `</s>` included."""
    target_tokens: list[str]
    """Pieces that each query row predicts, `</s>` included."""
    token_scores: list[float]
    """Log-probability of each target token, nats."""
    encoder: AttentionMap | None = None
    """[layer][head][query][key] over source tokens; each row sums to 1."""
    decoder: AttentionMap | None = None
    """[layer][head][query][key] over target tokens, lower-triangular."""
    cross: AttentionMap | None = None
    """[layer][head][query][key] from target to source tokens."""


class SentenceReply(_Reply):
    """One sentence of a text, and how its translation ended."""

    source: str
    translation: str
    source_span: tuple[int, int]
    """Character offsets in the text, end exclusive."""
    target_span: tuple[int, int]
    """Character offsets in the translation, end exclusive."""
    source_tokens: list[str]
    target_tokens: list[str]
    score: float
    """Summed log-probability, nats."""
    token_scores: list[float]
    """Log-probability of each target token, nats."""
    finish_reason: FinishReason
    truncated: bool
    """Part of the source was not translated."""
    attention: MapsReply | None = None


class TranslateReply(_Reply):
    """Each field is a list beside a list `q`; the optional ones are there if asked for."""

    translatedText: str | list[str]  # noqa: N815 - LibreTranslate's name
    alternatives: list[str] | list[list[str]] | None = None
    details: list[SentenceReply] | list[list[SentenceReply]] | None = None


class InspectedSentenceReply(MapsReply):
    """One sentence of a text with its attention."""

    source: str
    translation: str
    source_span: tuple[int, int]
    target_span: tuple[int, int]


class InspectedTextReply(_Reply):
    """A text with its attention.

    A text that is one sentence carries that sentence's fields; a text of several (or of none)
    carries `sentences` in their place.
    """

    source: str
    translation: str
    source_tokens: list[str] | None = None
    target_tokens: list[str] | None = None
    token_scores: list[float] | None = None
    encoder: AttentionMap | None = None
    decoder: AttentionMap | None = None
    cross: AttentionMap | None = None
    sentences: list[InspectedSentenceReply] | None = None


class LanguageReply(_Reply):
    """A language that can be translated from."""

    code: str
    name: str
    targets: list[str]


class StatusReply(_Reply):
    """Everything is as it should be."""

    status: Literal["ok", "ready"]


def json_response(content: object, times: StageTimes | None = None) -> Response:
    """A successful reply; `times` become its Server-Timing header."""
    headers = {} if times is None else {"Server-Timing": _server_timing(times)}
    return Response(to_json(content), media_type="application/json", headers=headers)


def translation_content(
    translations: Sequence[Translation],
    *,
    is_list: bool,
    with_alternatives: bool,
    with_details: bool,
) -> Json:
    """Body of `POST /translate`."""
    content: Json = {"translatedText": [t.text for t in translations]}
    if with_alternatives:
        content["alternatives"] = [list(t.alternatives) for t in translations]
    if with_details:
        content["details"] = [[_sentence(s) for s in t.sentences] for t in translations]
    return content if is_list else {name: values[0] for name, values in content.items()}


def inspected_content(pair: InspectedPair) -> Json:
    """One text of the body of `POST /attention`."""
    content: Json = {"source": pair.source, "translation": pair.translation}
    if len(pair.sentences) == 1:
        return content | _maps(pair.sentences[0].attention)
    return content | {"sentences": [_inspected_sentence(s) for s in pair.sentences]}


def _sentence(sentence: SentenceTranslation) -> Json:
    content: Json = {
        "source": sentence.source,
        "translation": sentence.translation,
        "source_span": sentence.source_span,
        "target_span": sentence.target_span,
        "source_tokens": sentence.source_tokens,
        "target_tokens": sentence.target_tokens,
        "score": sentence.score,
        "token_scores": sentence.token_log_probs,
        "finish_reason": sentence.finish_reason,
        "truncated": sentence.truncated,
    }
    if sentence.attention is not None:
        content["attention"] = _maps(sentence.attention)
    return content


def _inspected_sentence(sentence: InspectedSentence) -> Json:
    return {
        "source": sentence.source,
        "translation": sentence.translation,
        "source_span": sentence.source_span,
        "target_span": sentence.target_span,
        **_maps(sentence.attention),
    }


def _maps(attention: AttentionMaps) -> Json:
    return {
        "source_tokens": attention.source_tokens,
        "target_tokens": attention.target_tokens,
        "token_scores": attention.token_log_probs,
        **{kind: _nested(array) for kind, array in attention.maps.items()},
    }


def _nested(array: NDArray[np.float32]) -> list[Any]:
    # In float64, else the rounded numbers would be printed with the digits of their float32.
    nested: list[Any] = np.round(array.astype(np.float64), _DECIMALS).tolist()
    return nested


def _server_timing(times: StageTimes) -> str:
    stages = ("tokenize", "queue", "encode", "decode", "detokenize")
    return ", ".join(f"{stage};dur={1000 * getattr(times, stage):.2f}" for stage in stages)
