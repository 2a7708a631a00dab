"""The values that go into the translator and come out of it; no HTTP, no JSON."""

from dataclasses import dataclass, field

from service.engine.search.options import FinishReason
from service.inspection.values import AttentionMaps, AttentionSelection
from service.scheduling.limits import INTERNAL_CLIENT, Client
from service.text.alignment.word_links import WordLink
from service.text.detection import Detection
from service.text.markup.passage import MarkupOptions
from service.text.masking.casing import Case
from service.text.masking.glossary import GlossaryEntry
from service.text.segmentation.splitter import SplitMode


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslateRequest:
    """Texts of one direction; None stands for the bundle's default."""

    texts: tuple[str, ...]
    source: str
    """A language code, or `auto`: each text by itself."""
    target: str
    markup: MarkupOptions | None = None
    """None: plain text."""
    splitting: SplitMode = "sentences"
    unwrap: bool = False
    """Whether line breaks within a paragraph are only where the line was full."""
    glossary: tuple[GlossaryEntry, ...] = ()
    with_alignment: bool = False
    beam_size: int | None = None
    length_penalty: float | None = None
    max_target_tokens: int | None = None
    max_length_factor: float | None = None
    min_target_tokens: int | None = None
    no_repeat_ngram_size: int = 0
    prefixes: tuple[str, ...] | None = None
    """What the translation of each text must begin with."""
    num_alternatives: int = 0
    """With prefixes: translations that differ in what comes right after them."""
    with_scores: bool = True
    """False where nobody reads log-probabilities: greedy search is faster without them."""
    attention: AttentionSelection | None = None
    timeout_s: float | None = None
    client: Client = INTERNAL_CLIENT


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTranslation:
    """What one of several models made of a sentence."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceTranslation:
    """One sentence of a text, and how its translation ended.

    A sentence without letters comes back as it is: it has no tokens, because no model ran. Where
    several models ran one after the other, source tokens are the first one's; target tokens, score
    and log-probabilities the last one's.
    """

    source: str
    translation: str
    source_span: tuple[int, int]
    """Character offsets in the text, end exclusive."""
    target_span: tuple[int, int]
    """Character offsets in the translation, end exclusive."""
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    """Generated pieces; `</s>` last where the model ended by itself."""
    score: float
    """Summed log-probability, nats."""
    token_log_probs: tuple[float, ...]
    finish_reason: FinishReason
    truncated: bool
    """Part of the source was not translated."""
    placeholders_ok: bool = True
    """Whether everything that had to come back verbatim is there, as often as in the source."""
    case: Case = "as_is"
    """How the source was written, if it was put into ordinary case for the model."""
    alignment: tuple[WordLink, ...] | None = None
    """Words of `source` with words of `translation`, where it was asked for."""
    attention: AttentionMaps | None = None
    route: tuple[LegTranslation, ...] = ()
    """Each model's part, in order, where there were several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """One translated text."""

    text: str
    detected: Detection | None = None
    """Its language, where that was to be found out."""
    alternatives: tuple[str, ...] = ()
    sentences: tuple[SentenceTranslation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """Wall-clock seconds of a request by stage.

    Queue, encode and decode are the longest of its sentences, because sentences run side by side.
    """

    tokenize: float = 0.0
    queue: float = 0.0
    encode: float = 0.0
    decode: float = 0.0
    detokenize: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedSentence:
    """A part of a translation that is finished; those of a text come in its order."""

    text_index: int
    """Which of the texts of the request it belongs to."""
    text: str
    """All texts of one index joined are the translation."""
    sentences: tuple[SentenceTranslation, ...]
    """One at most in a plain text; their offsets are those in the whole text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslateResult:
    """Everything that a request gave, in the order of its texts."""

    translations: tuple[Translation, ...]
    times: StageTimes = field(default_factory=StageTimes)
