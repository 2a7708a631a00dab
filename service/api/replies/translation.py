"""What goes out: the shape of every success, and how the translator's values become JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from service.api.replies.alignment import AlignmentReply, ConfidenceReply, alignment_content
from service.api.replies.json import json_bytes
from service.engine.search.options import FinishReason
from service.inspection.values import AttentionMaps, InspectedPair, InspectedSentence
from service.text.detection import Detection
from service.text.masking.casing import Case
from service.translation.values import (
    SentenceTranslation,
    StageTimes,
    StreamedSentence,
    Translation,
)

Json = dict[str, Any]
AttentionMap = list[list[list[list[float]]]]
"""[layer][head][query][key]; each row sums to 1."""


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


class LinkReply(_Reply):
    """Two stretches of text that say the same; several links may share a side."""

    source: tuple[int, int]
    """Character offsets in the source sentence, end exclusive."""
    target: tuple[int, int]
    """Character offsets in its translation, end exclusive."""
    weight: float
    """From 0 to 1."""


class LegReply(_Reply):
    """What one of several models made of a sentence."""

    model: str
    """The bundle's name."""
    source: str
    """Language code."""
    target: str
    """Language code."""
    translation: str
    source_tokens: list[str]
    target_tokens: list[str]
    score: float
    """Summed log-probability, nats."""
    finish_reason: FinishReason


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
    placeholders_ok: bool
    """Everything that had to come back verbatim is there, as often as in the source."""
    case: Case
    """How the source was written, if it was put into ordinary case for the model."""
    alignment: list[LinkReply] | None = None
    """If asked for: words of `source` with the words of `translation` that came from them."""
    attention: MapsReply | None = None
    route: list[LegReply] | None = None
    """Each model's part, where two translated one after the other, by way of a third language. The
    source tokens above are then the first one's; target tokens and scores the last one's."""


class DetectionReply(_Reply):
    """A language that a text may be in."""

    confidence: float
    """From 0 to 100."""
    language: str


class TranslateReply(_Reply):
    """Each field is a list beside a list `q`; the optional ones are there if asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"translatedText": "Guten Morgen."}]})

    translatedText: str | list[str]  # noqa: N815 - LibreTranslate's name
    detectedLanguage: DetectionReply | list[DetectionReply] | None = None  # noqa: N815
    alternatives: list[str] | list[list[str]] | None = None
    details: list[SentenceReply] | list[list[SentenceReply]] | None = None


class InspectedSentenceReply(MapsReply):
    """One sentence of a text with its attention."""

    source: str
    translation: str
    source_span: tuple[int, int]
    target_span: tuple[int, int]
    alignment: AlignmentReply
    confidence: ConfidenceReply


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
    alignment: AlignmentReply | None = None
    confidence: ConfidenceReply | None = None
    sentences: list[InspectedSentenceReply] | None = None


class LanguageReply(_Reply):
    """A language that can be translated from."""

    code: str
    name: str
    targets: list[str]
    pivots: dict[str, str] | None = None
    """For each of those targets that no model translates to by itself, the language between; only
    where there are any."""


class NamedLanguage(_Reply):
    """A language for people who choose from a list."""

    code: str
    name: str


class LanguageChoice(_Reply):
    """What is chosen at first."""

    source: NamedLanguage
    target: NamedLanguage


class SettingsReply(_Reply):
    """What LibreTranslate's page wants to know; the names are its own."""

    charLimit: int  # noqa: N815
    """Characters of a request."""
    frontendTimeout: int  # noqa: N815
    """How long to wait after a key, milliseconds."""
    apiKeys: bool  # noqa: N815
    keyRequired: bool  # noqa: N815
    suggestions: bool
    filesTranslation: bool  # noqa: N815
    supportedFilesFormat: list[str]  # noqa: N815
    language: LanguageChoice


class StatusReply(_Reply):
    """Everything is as it should be."""

    status: Literal["ok", "ready"]


def json_response(content: object, times: StageTimes | None = None) -> Response:
    """A successful reply; `times` become its Server-Timing header."""
    headers = {} if times is None else {"Server-Timing": _server_timing(times)}
    return Response(json_bytes(content), media_type="application/json", headers=headers)


def translation_content(
    translations: Sequence[Translation],
    *,
    is_list: bool,
    with_detection: bool,
    with_alternatives: bool,
    with_details: bool,
) -> Json:
    """Body of `POST /translate`."""
    content: Json = {"translatedText": [t.text for t in translations]}
    if with_detection:
        content["detectedLanguage"] = [_detected(t) for t in translations]
    if with_alternatives:
        content["alternatives"] = [list(t.alternatives) for t in translations]
    if with_details:
        content["details"] = [[_sentence(s) for s in t.sentences] for t in translations]
    return content if is_list else {name: values[0] for name, values in content.items()}


def streamed_content(part: StreamedSentence, *, with_details: bool) -> Json:
    """An event of `POST /translate` with `stream`."""
    content: Json = {"index": part.text_index, "text": part.text}
    return (
        content | {"details": [_sentence(s) for s in part.sentences]} if with_details else content
    )


def detection_content(detection: Detection) -> Json:
    """A language as LibreTranslate's clients know it."""
    return {"confidence": detection.confidence, "language": detection.language}


def inspected_content(pair: InspectedPair) -> Json:
    """One text of the body of `POST /attention`."""
    content: Json = {"source": pair.source, "translation": pair.translation}
    if len(pair.sentences) == 1:
        (sentence,) = pair.sentences
        return content | _maps(sentence.attention) | alignment_content(sentence)
    return content | {"sentences": [_inspected_sentence(s) for s in pair.sentences]}


def _detected(translation: Translation) -> Json:
    detected = translation.detected
    assert detected is not None, "asked for with source=auto only"
    return detection_content(detected)


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
        "placeholders_ok": sentence.placeholders_ok,
        "case": sentence.case,
    }
    if sentence.alignment is not None:
        content["alignment"] = [
            {"source": link.source, "target": link.target, "weight": link.weight}
            for link in sentence.alignment
        ]
    if sentence.attention is not None:
        content["attention"] = _maps(sentence.attention)
    if sentence.route:
        content["route"] = [asdict(leg) for leg in sentence.route]
    return content


def _inspected_sentence(sentence: InspectedSentence) -> Json:
    return {
        "source": sentence.source,
        "translation": sentence.translation,
        "source_span": sentence.source_span,
        "target_span": sentence.target_span,
        **_maps(sentence.attention),
        **alignment_content(sentence),
    }


def _maps(attention: AttentionMaps) -> Json:
    return {
        "source_tokens": attention.source_tokens,
        "target_tokens": attention.target_tokens,
        "token_scores": attention.token_log_probs,
        **{str(kind): maps for kind, maps in attention.maps.items()},
    }


def _server_timing(times: StageTimes) -> str:
    stages = ("tokenize", "queue", "encode", "decode", "detokenize")
    return ", ".join(f"{stage};dur={1000 * getattr(times, stage):.2f}" for stage in stages)
