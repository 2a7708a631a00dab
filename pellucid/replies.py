"""Replies of a server as the values that a translator in this process returns."""

from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pellucid.connections import HttpReply
from service.engine.inspection import AttentionKind
from service.errors import OverloadedError, ServiceError
from service.inspection.confidence import Confidence
from service.inspection.values import (
    AttentionMaps,
    Contrast,
    ContributionDifference,
    Contributions,
    EncoderStates,
    InspectedPair,
    InspectedSentence,
    ScoredPair,
)
from service.text.alignment.differences import Step
from service.text.alignment.word_links import Span, WordLink, words
from service.text.detection import Detection
from service.translation.values import SentenceTranslation, Translation

Json = dict[str, Any]

_KINDS: tuple[AttentionKind, ...] = ("encoder", "decoder", "cross")
_RENAMED = {"token_scores": "token_log_probs"}  # nosec B105 - no password: the name of a field
"""Names of attributes, by those of the reply."""
_WAIT_S = 1.0
"""Until a refused request is sent again, where the server does not say."""

_FIELDS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(kind)
    for name, kind in get_type_hints(SentenceTranslation).items()
    if name != "attention"  # a call of its own
}
"""What turns JSON into the value of each field of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMaps(AttentionMaps):
    """Maps of a reply, which has the confidence instead of the map that it is computed from."""

    received: Confidence

    @property
    def confidence(self) -> Confidence:
        """Confidence in the translation."""
        return self.received


def translations_of(content: Json) -> list[Translation]:
    """The translations in a reply of `POST /translate` to a list."""
    texts: list[str] = content["translatedText"]
    nothing: list[None] = [None] * len(texts)
    columns = (content.get(n, nothing) for n in ("detectedLanguage", "alternatives", "details"))
    return [
        Translation(
            text=text,
            detected=None if detected is None else detection_of(detected),
            alternatives=tuple(alternatives or ()),
            sentences=tuple(_sentence(sentence) for sentence in sentences or ()),
        )
        for text, detected, alternatives, sentences in zip(texts, *columns, strict=True)
    ]


def detection_of(content: Json) -> Detection:
    """A language in a reply of `POST /detect`."""
    return Detection(language=content["language"], confidence=content["confidence"])


def score_of(content: Json) -> ScoredPair:
    """A pair in a reply of `POST /score`."""
    return ScoredPair(
        target_tokens=tuple(content["target_tokens"]),
        token_log_probs=tuple(content["token_scores"]),
    )


def inspected_pair_of(content: Json) -> InspectedPair:
    """A text in a reply of `POST /attention`."""
    source, translation = content["source"], content["translation"]
    sentences = content["sentences"] if "sentences" in content else [_only_sentence(content)]
    return InspectedPair(
        source=source,
        translation=translation,
        sentences=tuple(_inspected_sentence(sentence) for sentence in sentences),
        contrast=_contrast(content) if "contrast" in content else None,
    )


def error_of(reply: HttpReply, content: object) -> ServiceError:
    """The error that a reply stands for, of the same class as in the service."""
    problem = content if isinstance(content, dict) else {}
    code, text = problem.get("code"), str(problem.get("error") or f"status {reply.status}")
    known = {error.code: error for error in _descendants(ServiceError)}
    kind = known.get(str(code), ServiceError)
    if issubclass(kind, OverloadedError):
        return kind(text, retry_after_s=retry_after_s(reply))
    error = kind.__new__(kind)  # some take no text of others
    error.args = (text,)
    return error


def retry_after_s(reply: HttpReply) -> float:
    """How long the server asks to wait."""
    try:
        seconds = float(reply.headers.get("retry-after", _WAIT_S))
    except ValueError:  # a date
        return _WAIT_S
    return seconds if seconds >= 0 else _WAIT_S  # `nan` is neither


def _sentence(content: Json) -> SentenceTranslation:
    """A sentence; what this version does not know is left out."""
    renamed = {_RENAMED.get(name, name): value for name, value in content.items()}
    return SentenceTranslation(
        **{
            name: _FIELDS[name].validate_python(value)
            for name, value in renamed.items()
            if name in _FIELDS
        }
    )


def _inspected_sentence(content: Json) -> InspectedSentence:
    return InspectedSentence(
        source=content["source"],
        translation=content["translation"],
        source_span=tuple(content["source_span"]),
        target_span=tuple(content["target_span"]),
        links=_word_links(content),
        attention=_maps(content),
    )


def _only_sentence(content: Json) -> Json:
    """The sentence of a text that has one, without the parts around it that no model saw."""
    alignment = content["alignment"]
    start, end = _span_of(alignment["source_words"], content["source"])
    target_start, target_end = _span_of(alignment["target_words"], content["translation"])
    return content | {
        "source": content["source"][start:end],
        "translation": content["translation"][target_start:target_end],
        "source_span": (start, end),
        "target_span": (target_start, target_end),
    }


def _span_of(sentence: list[str], text: str) -> Span:
    """Where the words of a sentence stand in its text; the whole text if they do not."""
    spans, count = words(text), len(sentence)
    found = [text[start:end] for start, end in spans]
    for first in range(len(spans) - count + 1 if count else 0):
        if found[first : first + count] == sentence:
            return spans[first][0], spans[first + count - 1][1]
    return 0, len(text)


def _maps(content: Json) -> ReceivedMaps:
    measured = content["confidence"]
    return ReceivedMaps(
        source_tokens=tuple(content["source_tokens"]),
        target_tokens=tuple(content["target_tokens"]),
        maps={kind: _array(content[kind]) for kind in _KINDS if kind in content},
        alignment=np.zeros((0, 0), dtype=np.float32),
        token_log_probs=tuple(content["token_scores"]),
        cell=content.get("decoder_cell", "self_attention"),
        contributions=_contributions(content.get("contributions")),
        states=_states(content.get("states")),
        received=Confidence(
            coverage_deviation=measured["coverage_deviation"],
            absentmindedness=measured["absentmindedness"],
        ),
    )


def _contributions(content: Json | None) -> Contributions | None:
    if content is None:
        return None
    return Contributions(
        method=content["method"],
        source=_array(content["source"]),
        target=_array(content["target"]),
        prefix_tokens=tuple(content["prefix_tokens"]),
    )


def _states(content: Json | None) -> EncoderStates | None:
    if content is None:
        return None
    return EncoderStates(
        **{each.name: _array(content[each.name]) for each in fields(EncoderStates)}
    )


def _contrast(content: Json) -> Contrast:
    found: Json = content["contrast"]
    differences = found.get("contributions")
    return Contrast(
        translation=found["translation"],
        target_tokens=tuple(found["target_tokens"]),
        token_log_probs=tuple(found["token_scores"]),
        steps=_steps(found["steps"], content["target_tokens"], found["target_tokens"]),
        score_differences=tuple(step["score_difference"] for step in found["steps"]),
        maps={kind: _array(found[kind]) for kind in _KINDS if kind in found},
        contributions=differences
        and ContributionDifference(
            source=_array(differences["source"]), target=_array(differences["target"])
        ),
    )


def _steps(steps: list[Json], own: list[str], other: list[str]) -> tuple[Step, ...]:
    """Steps of a reply, which has no word of its own for equal tokens."""
    places = [(step["token"], step["contrast_token"]) for step in steps]
    return tuple(
        Step(
            first=first,
            second=second,
            is_same=first is not None and second is not None and own[first] == other[second],
        )
        for first, second in places
    )


def _word_links(content: Json) -> tuple[WordLink, ...]:
    alignment = content["alignment"]
    sources, targets = words(content["source"]), words(content["translation"])
    pairs = (pair.split("-") for pair in alignment["pharaoh"].split())
    links = (
        WordLink(source=sources[int(i)], target=targets[int(j)], weight=weight)
        for (i, j), weight in zip(pairs, alignment["weights"], strict=True)
    )
    return tuple(sorted(links, key=lambda link: (link.target, link.source)))


def _array(values: object) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


def _descendants(error: type[ServiceError]) -> list[type[ServiceError]]:
    children = error.__subclasses__()
    return children + [deeper for child in children for deeper in _descendants(child)]
