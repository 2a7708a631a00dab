"""What is asked of an inspection, and what it finds; no HTTP, no JSON."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.inspection.confidence import Confidence, confidence_of
from service.scheduling.limits import INTERNAL_CLIENT, Client
from service.text.alignment.word_links import WordLink

AttentionKind = Literal["encoder", "decoder", "cross"]


ATTENTION_KINDS: tuple[AttentionKind, ...] = ("encoder", "decoder", "cross")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSelection:
    """Which attention maps are wanted."""

    kinds: tuple[AttentionKind, ...] = ("cross",)
    layers: tuple[int, ...] | None = None
    """None: all."""
    heads: tuple[int, ...] | None = None
    """None: all."""
    reduce: Literal["none", "heads", "all"] = "none"
    """Mean over nothing, over heads, or over heads and layers."""
    words: bool = False
    """Between words, not between the model's pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionMaps:
    """Attention of one sentence pair, without padding."""

    source_tokens: tuple[str, ...]
    """Source pieces as the model saw them: the key axis of cross maps, `</s>` included; words where
    those were asked for."""
    target_tokens: tuple[str, ...]
    """Pieces that each query row predicts, `</s>` included."""
    maps: dict[AttentionKind, NDArray[np.float32]]
    """Per kind [layers, heads, query, key]; a mean keeps its axis with length 1."""
    alignment: NDArray[np.float32]
    """Of the head that aligns best, whatever was asked for, [query, key]; always of pieces."""
    token_log_probs: tuple[float, ...]
    """Of every target token, nats."""

    @property
    def confidence(self) -> Confidence:
        """Whether this looks like the attention of a good translation."""
        return confidence_of(self.alignment)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRequest:
    """Texts whose attention is wanted, with our translation or with given ones."""

    texts: tuple[str, ...]
    source: str
    target: str
    translations: tuple[str, ...] | None = None
    """One for every text; None: translate first."""
    selection: AttentionSelection = field(default_factory=AttentionSelection)
    timeout_s: float | None = None
    client: Client = INTERNAL_CLIENT


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedSentence:
    """One sentence pair that went through the model as one."""

    source: str
    translation: str
    source_span: tuple[int, int]
    """Character offsets in the text, end exclusive."""
    target_span: tuple[int, int]
    """Character offsets in the translation, end exclusive."""
    links: tuple[WordLink, ...]
    """Words of `source` with words of `translation`."""
    attention: AttentionMaps


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedPair:
    """A text and its translation, seen from inside.

    With our own translation there is one entry per sentence, exactly as in `/translate`. A given
    translation cannot be cut where its source is cut, so that pair is one entry. A text without
    letters never reaches the model and has none.
    """

    source: str
    translation: str
    sentences: tuple[InspectedSentence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """Pairs of texts of one direction: how likely is each second one, given the first?"""

    pairs: tuple[tuple[str, str], ...]
    source: str
    target: str
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """A given translation, and what the model thinks of it."""

    target_tokens: tuple[str, ...]
    """`</s>` last."""
    token_log_probs: tuple[float, ...]
    """Of every token, nats."""

    @property
    def log_prob(self) -> float:
        """Of the whole translation, nats."""
        return sum(self.token_log_probs)
