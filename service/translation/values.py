"""Requests for translation and their results; no HTTP, no JSON."""

from dataclasses import dataclass, field
from typing import Literal

from service.engine.ablation import Heads
from service.engine.search.options import FinishReason
from service.inspection.replay import SearchReplay
from service.inspection.values import AttentionMaps, AttentionSelection
from service.scheduling.limits import INTERNAL_CLIENT, Client
from service.text.alignment.word_links import WordLink
from service.text.checks import Check
from service.text.detection import Detection
from service.text.markup.passage import MarkupOptions
from service.text.masking.casing import Case
from service.text.masking.glossary import GlossaryEntry
from service.text.segmentation.splitter import SplitMode


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslateRequest:
    """Texts to translate; None stands for the bundle's default."""

    texts: tuple[str, ...]
    source: str
    """A language code, or `auto`: detected for each text."""
    target: str
    markup: MarkupOptions | None = None
    """None: plain text."""
    splitting: SplitMode = "sentences"
    unwrap: bool = False
    """Whether paragraphs are hard-wrapped, so that their line breaks are removed."""
    glossary: tuple[GlossaryEntry, ...] = ()
    inflects_terms: bool = True
    """Whether a form of a term counts that the model writes by itself; otherwise all are masked."""
    with_alignment: bool = False
    beam_size: int | None = None
    length_penalty: float | None = None
    max_target_tokens: int | None = None
    max_length_factor: float | None = None
    min_target_tokens: int | None = None
    no_repeat_ngram_size: int = 0
    prefixes: tuple[str, ...] | None = None
    """What the translation of each text begins with."""
    num_alternatives: int = 0
    """Further translations; with prefixes they differ in the token behind the prefix."""
    with_scores: bool = True
    """False if log-probabilities are not needed: greedy search is faster without them."""
    with_doubt: bool = False
    """Whether the words of every sentence are rated, and its checks run; needs `with_scores`."""
    with_suggestions: bool = False
    """Whether similar sentences of the translation memory are looked for."""
    attention: AttentionSelection | None = None
    with_search: bool = False
    """Whether every sentence comes with the replay of its search; needs `with_scores`."""
    without_heads: Heads = ()
    """Heads that the model has to do without; needs one model and a named source language."""
    timeout_s: float | None = None
    is_bounded: bool = True
    """Whether the limits on sentences and fragments hold; a string of a file may have more."""
    client: Client = INTERNAL_CLIENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """How far a translation can be trusted."""

    value: float
    """Probability that a reader accepts it, 0 to 1."""
    is_low: bool
    """Whether it is below the model's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedWord:
    """A word of a translation."""

    text: str
    start: int
    """Characters before it in the translation of its sentence."""
    end: int
    doubt: bool
    """Whether the model was unsure of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStep:
    """One model's part in the translation of a sentence by way of a third language."""

    model: str
    """The bundle's name."""
    source: str
    """Language code."""
    target: str
    """Language code."""
    translation: str
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    score: float
    """Summed log-probability, nats."""
    finish_reason: FinishReason


TermOutcome = Literal["model", "enforced", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedTerm:
    """A glossary term in a sentence, and what became of it."""

    source: str
    """The term as it stands in the sentence."""
    target: str
    """What the glossary wants."""
    outcome: TermOutcome
    """`model`: written by the model, maybe inflected; `enforced`: as the glossary has it."""
    target_span: tuple[int, int] | None
    """Characters in the translation of the sentence, end exclusive; None: missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A translation of a similar sentence."""

    source: str
    """The similar sentence."""
    translation: str
    score: float
    """From 0 to 1: the part of the longer sentence that no edit touches."""
    origin: Literal["memory"] = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceTranslation:
    """One sentence of a text, and why its decoding stopped.

    A sentence without letters is copied and has no tokens, because no model runs. If several
    models run one after the other, source tokens are those of the first; target tokens, score and
    log-probabilities those of the last.
    """

    source: str
    translation: str
    source_span: tuple[int, int]
    """Character offsets in the text, end exclusive."""
    target_span: tuple[int, int]
    """Character offsets in the translation, end exclusive."""
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    """Generated pieces; `</s>` last if the model ended by itself."""
    score: float
    """Summed log-probability, nats."""
    token_log_probs: tuple[float, ...]
    finish_reason: FinishReason
    truncated: bool
    """Whether part of the source was not translated."""
    placeholders_ok: bool = True
    """Whether everything to be copied is in the translation, as often as in the source."""
    case: Case = "as_is"
    """Case of the source, unless it is ordinary."""
    confidence: float | None = None
    """Probability that a reader accepts the translation, 0 to 1; 1 for a sentence without letters.
    None without log-probabilities."""
    is_doubtful: bool = False
    """Whether confidence is below the model's limit."""
    words: tuple[TranslatedWord, ...] = ()
    """Words of the translation, in order, without punctuation; empty unless requested."""
    checks: tuple[Check, ...] = ()
    """What a comparison with the source found; empty unless requested."""
    alignment: tuple[WordLink, ...] | None = None
    """Words of `source` with words of `translation`; None unless requested."""
    glossary: tuple[UsedTerm, ...] = ()
    """Terms of the request's glossary that occur in `source`."""
    attention: AttentionMaps | None = None
    search: SearchReplay | None = None
    """If requested; None as well where fragments were translated one by one, or no model ran."""
    route: tuple[RouteStep, ...] = ()
    """Each model's part, in order, if there were several."""
    origin: Literal["memory"] | None = None
    """Where the translation is from, if from no model."""
    suggestions: tuple[Suggestion, ...] | None = None
    """Translations of similar sentences, most similar first; None: there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """One translated text."""

    text: str
    detected: Detection | None = None
    """Language of the text, if it was detected."""
    alternatives: tuple[str, ...] = ()
    sentences: tuple[SentenceTranslation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """Wall-clock seconds of each stage of a request.

    Queue, encode and decode are those of the slowest sentence: sentences run side by side.
    """

    tokenize: float = 0.0
    queue: float = 0.0
    encode: float = 0.0
    decode: float = 0.0
    detokenize: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedSentence:
    """A finished part of a translation; the parts of a text arrive in order."""

    text_index: int
    """Index of its text in the request."""
    text: str
    """The parts of one index joined are the translation."""
    sentences: tuple[SentenceTranslation, ...]
    """At most one in a plain text; their offsets are those in the whole text."""
    detected: Detection | None = None
    """The language of its text, if it was detected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslateResult:
    """All translations of a request, in the order of its texts."""

    translations: tuple[Translation, ...]
    times: StageTimes = field(default_factory=StageTimes)
