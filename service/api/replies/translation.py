"""Translations as replies: sentences, details, and the events of a stream."""

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict

from service.api.replies.attention import MapsReply, maps_content
from service.api.replies.json import Json, Reply, content_of
from service.engine.search.options import FinishReason
from service.engine.search.trace import Fate, StopReason
from service.inspection.replay import SearchReplay
from service.text.masking.casing import Case
from service.translation.values import (
    SentenceTranslation,
    StreamedSentence,
    TermOutcome,
    Translation,
)


class LinkReply(Reply):
    """Two stretches of text that say the same; several links may share a side."""

    source: tuple[int, int]
    """Character offsets in the source sentence, end exclusive."""
    target: tuple[int, int]
    """Character offsets in its translation, end exclusive."""
    weight: float
    """From 0 to 1."""


class LegReply(Reply):
    """What one of several models made of a sentence."""

    model: str
    """The bundle's name."""
    source: str
    """Language code."""
    target: str
    """Language code."""
    translation: str
    """By this model."""
    source_tokens: list[str]
    """Input pieces of the model."""
    target_tokens: list[str]
    """Output pieces of the model."""
    score: float
    """Summed log-probability, nats."""
    finish_reason: FinishReason
    """Why decoding stopped."""


class WordReply(Reply):
    """A word of a translation."""

    text: str
    """As in the translation."""
    start: int
    """Characters before it in the translation of its sentence."""
    end: int
    """Characters up to its end."""
    doubt: bool
    """The model was unsure of it."""


class CheckReply(Reply):
    """What a comparison of source and translation found, without a model."""

    name: str
    """One of number, name, acronym, negation, copied, repetition, length."""
    source_span: tuple[int, int] | None
    """Character offsets in the source sentence, end exclusive; null: in the translation alone."""
    target_span: tuple[int, int] | None
    """Character offsets in its translation, end exclusive; null: something is missing there."""
    message: str
    """In English."""


class CandidateReply(Reply):
    """A prefix of a step of a search, extended by one token."""

    prefix: int
    """Place of the prefix among those of the step; the first step has one, the empty one."""
    token: str
    """The piece; `</s>` is the end."""
    probability: float
    """Given source and prefix, from 0 to 1."""
    log_prob: float
    """Of the prefix and the token together, nats."""
    fate: Fate
    """`kept`: a prefix of the next step; `ended`: a finished hypothesis; `pruned`: within the beam,
    but unable to overtake a finished one; `dropped`: not among the best; `forbidden`: by a rule,
    the shortest length or the shortlist."""
    place: int | None
    """Its place among the prefixes of the next step; null unless kept."""
    score: float | None
    """What finished hypotheses are ranked by, nats normalised by length; null unless ended."""
    is_result: bool
    """It is part of the translation."""


class SearchReply(Reply):
    """The search of one sentence, step by step."""

    beam_size: int
    """Hypotheses that were kept."""
    length_penalty: float
    """Exponent of the length by which scores were divided."""
    stop: StopReason
    """`end`: the one hypothesis ended; `overtaken`: no prefix could overtake a finished hypothesis
    any more; `length`: the longest output was reached; `no_token`: rules left none."""
    steps: list[list[CandidateReply]]
    """The best candidates of every step, best first."""


class TermReply(Reply):
    """A glossary term in a sentence, and what became of it."""

    source: str
    """As it stands in the sentence."""
    target: str
    """What the glossary wants."""
    outcome: TermOutcome
    """`model`: the model wrote it by itself, maybe inflected; `enforced`: inserted as the glossary
    has it; `missing`: neither."""
    target_span: tuple[int, int] | None
    """Character offsets in the translation of the sentence, end exclusive; null: missing."""


class SuggestionReply(Reply):
    """A translation of a similar sentence, from the translation memory."""

    source: str
    """The similar sentence."""
    translation: str
    """Of the similar sentence."""
    score: float
    """From 0 to 1: the part of the longer sentence that no edit touches."""
    origin: Literal["memory"]
    """Where it comes from."""


class SentenceReply(Reply):
    """One sentence of a text, and how its translation ended."""

    source: str
    """The sentence, without the white space around it."""
    translation: str
    """Of this sentence."""
    source_span: tuple[int, int]
    """Character offsets in the text, end exclusive."""
    target_span: tuple[int, int]
    """Character offsets in the translation, end exclusive."""
    source_tokens: list[str]
    """Input pieces of the model."""
    target_tokens: list[str]
    """Output pieces of the model."""
    score: float
    """Summed log-probability, nats."""
    token_scores: list[float]
    """Log-probability of each target token, nats."""
    finish_reason: FinishReason
    """Why decoding stopped."""
    truncated: bool
    """Part of the source was not translated."""
    confidence: float
    """Calibrated probability, 0 to 1, that a reader accepts the translation."""
    words: list[WordReply]
    """Words of `translation`, in order, without punctuation."""
    checks: list[CheckReply]
    """Faults that need no model to be seen: changed numbers, lost names, copied words."""
    placeholders_ok: bool
    """Everything that had to come back verbatim is there, as often as in the source."""
    case: Case
    """How the source was written, if it was put into ordinary case for the model."""
    alignment: list[LinkReply] | None = None
    """If asked for: words of `source` with the words of `translation` that came from them."""
    glossary: list[TermReply] | None = None
    """The terms of the glossary that occur in `source`, in order; absent if none does."""
    attention: MapsReply | None = None
    """Attention maps, if asked for."""
    search: SearchReply | None = None
    """If asked for, of the translation's own search; absent where no model ran, or fragments were
    translated one by one."""
    route: list[LegReply] | None = None
    """Each model's part, where two translated one after the other, by way of a third language. The
    source tokens above are then the first one's; target tokens and scores the last one's."""
    origin: Literal["memory"] | None = None
    """`memory`: the translation is from the translation memory, no model ran."""
    suggestions: list[SuggestionReply] | None = None
    """Translations of similar sentences in the translation memory, most similar first."""


class DetectionReply(Reply):
    """A language that a text may be in."""

    confidence: float
    """From 0 to 100."""
    language: str
    """Code of the language."""


class TranslateReply(Reply):
    """Each field is a list beside a list `q`; the optional ones are there if asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"translatedText": "Guten Morgen."}]})

    translatedText: str | list[str]  # noqa: N815 - LibreTranslate's name
    """The translation; a list for a list of texts."""
    detectedLanguage: DetectionReply | list[DetectionReply] | None = None  # noqa: N815
    """Of the text, where `source` is `auto`."""
    alternatives: list[str] | list[list[str]] | None = None
    """Further translations, if asked for."""
    details: list[SentenceReply] | list[list[SentenceReply]] | None = None
    """Sentence by sentence, if asked for."""


def translation_content(
    translations: Sequence[Translation],
    *,
    is_list: bool,
    with_detection: bool,
    with_alternatives: bool,
    with_details: bool,
) -> Json:
    """Body of `POST /translate`, as `TranslateReply` declares it.

    A plain text's is a dict without a model in between, because most requests are plain text.
    """
    content: Json = {"translatedText": [t.text for t in translations]}
    if with_detection:
        content["detectedLanguage"] = [content_of(DetectionReply, t.detected) for t in translations]
    if with_alternatives:
        content["alternatives"] = [list(t.alternatives) for t in translations]
    if with_details:
        content["details"] = [_details(t.sentences) for t in translations]
    return content if is_list else {name: values[0] for name, values in content.items()}


def streamed_content(part: StreamedSentence, *, with_details: bool) -> Json:
    """Data of an event `part` of `POST /translate` with `stream`."""
    content: Json = {"index": part.text_index, "text": part.text}
    if part.detected is not None:
        content["detectedLanguage"] = content_of(DetectionReply, part.detected)
    return content | {"details": _details(part.sentences)} if with_details else content


def _details(sentences: Sequence[SentenceTranslation]) -> list[Json]:
    return [_sentence_content(sentence) for sentence in sentences]


def _sentence_content(sentence: SentenceTranslation) -> Json:
    content = content_of(SentenceReply, sentence, token_scores="token_log_probs")  # nosec B106 - no password: the name of a field
    if sentence.attention is not None:
        content["attention"] = maps_content(sentence.attention)
    if sentence.search is not None:
        content["search"] = _search(sentence.search)
    if not sentence.glossary:
        del content["glossary"]
    if not sentence.route:
        del content["route"]
    return content


def _search(search: SearchReplay) -> Json:
    steps = [[content_of(CandidateReply, each) for each in step] for step in search.steps]
    return content_of(SearchReply, search) | {"steps": steps}
