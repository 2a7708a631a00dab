"""Requests for inspection and their results; no HTTP, no JSON."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import DecoderCell
from service.engine.ablation import Heads
from service.engine.inspection import AttentionKind, Reduction, WantedOutputs
from service.inspection.confidence import Confidence, confidence_of
from service.scheduling.limits import INTERNAL_CLIENT, Client
from service.text.alignment.differences import Step
from service.text.alignment.word_links import WordLink

Method = Literal["attention", "rollout", "value_zeroing", "alti", "occlusion"]
"""Attention shows where a model looked; the others say what a token comes from."""
METHODS: tuple[Method, ...] = get_args(Method)
START_TOKEN = "<s>"  # nosec B105 - a piece of a vocabulary
"""The decoder's first input, in `Contributions.prefix_tokens`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSelection:
    """Which attention maps to return, or what else."""

    method: Method = "attention"
    """Any other returns `Contributions` in place of maps; kinds, layers and heads have no meaning
    then."""
    kinds: tuple[AttentionKind, ...] = ("cross",)
    layers: tuple[int, ...] | None = None
    """None: all."""
    heads: tuple[int, ...] | None = None
    """None: all."""
    reduce: Reduction = "none"
    """Mean over nothing, over heads, or over heads and layers."""
    words: bool = False
    """Between words instead of pieces."""
    states: bool = False
    """What the chosen layers and heads of the encoder compute, too."""

    @property
    def outputs(self) -> WantedOutputs:
        """What a pass has to return for `AttentionMaps` of it."""
        return WantedOutputs(
            kinds=self.kinds,
            layers=self.layers,
            heads=self.heads,
            reduce=self.reduce,
            alignment=True,
            log_probs=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributions:
    """What each target token comes from; a row of both arrays sums to 1."""

    method: Method
    source: NDArray[np.float32]
    """Shares of the source tokens, float32 [target, source]."""
    target: NDArray[np.float32]
    """Shares of the decoder's inputs, the tokens before each one, lower-triangular, float32
    [target, target]."""
    prefix_tokens: tuple[str, ...]
    """The columns of `target`: the start token, then every target token but the last."""

    @property
    def source_share(self) -> NDArray[np.float32]:
        """How much came from the source, float32 [target]."""
        return np.asarray(self.source.sum(axis=-1))


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderStates:
    """What layers of the encoder compute for each source token; a token is a piece."""

    queries: NDArray[np.float32]
    """float32 [layers, heads, source, head_dim], before any rotation by positions."""
    keys: NDArray[np.float32]
    """Likewise."""
    values: NDArray[np.float32]
    """Likewise."""
    activations: NDArray[np.float32]
    """Of the feed-forward, float32 [layers, source, d_ff]."""
    residual_norms: NDArray[np.float32]
    """Euclidean, of all layers, float32 [1 + 2 * all layers, source]: of the embeddings, then
    behind the attention and the feed-forward of each layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionMaps:
    """Attention of one sentence pair, without padding."""

    source_tokens: tuple[str, ...]
    """Source pieces, `</s>` included: the key axis of cross maps; words if they were selected."""
    target_tokens: tuple[str, ...]
    """The piece that each query row predicts, `</s>` included."""
    maps: dict[AttentionKind, NDArray[np.float32]]
    """float32 [layers, heads, query, key] by kind; a mean keeps its axis with length 1."""
    alignment: NDArray[np.float32]
    """Of the alignment head, whatever was selected, float32 [query, key]; always of pieces."""
    token_log_probs: tuple[float, ...]
    """Of every target token, nats."""
    cell: DecoderCell = "self_attention"
    """What the maps of the kind `decoder` are of: attention, or what the state of a recurrence
    still holds of each earlier token."""

    contributions: Contributions | None = None
    """Of another method than attention; then there are no maps."""
    states: EncoderStates | None = None
    """If they were selected."""

    @property
    def confidence(self) -> Confidence:
        """Confidence in the translation, from `alignment`."""
        return confidence_of(self.alignment)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRequest:
    """Texts to inspect, with our translations or with given ones."""

    texts: tuple[str, ...]
    source: str
    target: str
    translations: tuple[str, ...] | None = None
    """One for every text; None: ours."""
    contrasts: tuple[str, ...] | None = None
    """Another translation of every text, to be compared with; then each text is one sentence."""
    selection: AttentionSelection = field(default_factory=AttentionSelection)
    without_heads: Heads = ()
    """Heads that the model has to do without."""
    timeout_s: float | None = None
    client: Client = INTERNAL_CLIENT


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedSentence:
    """A sentence pair that went through the model as one."""

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
class ContributionDifference:
    """What speaks for the tokens of a translation more than for those of another one."""

    source: NDArray[np.float32]
    """Differences of the source tokens' shares, float32 [steps, source]."""
    target: NDArray[np.float32]
    """Of the start token, then of the token of each step, float32 [steps, 1 + steps]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A translation minus another one of the same source; a missing token counts as zero."""

    translation: str
    """The other one."""
    target_tokens: tuple[str, ...]
    """Its pieces, `</s>` included; words if they were selected."""
    token_log_probs: tuple[float, ...]
    """Of its tokens, nats."""
    steps: tuple[Step, ...]
    """The tokens of both side by side, the translation's first."""
    score_differences: tuple[float, ...]
    """Log-probability of the translation's token minus that of the other's at every step, nats."""
    maps: dict[AttentionKind, NDArray[np.float32]]
    """The differences of `cross` and `decoder`, float32 [layers, heads, steps, key]; the keys of
    `decoder` are steps."""
    contributions: ContributionDifference | None = None
    """Of another method than attention; then there are no maps."""

    @property
    def first_difference(self) -> int | None:
        """The step at which the model chose between the two; None: their tokens are the same."""
        return next((i for i, step in enumerate(self.steps) if not step.is_same), None)

    @property
    def score_difference(self) -> float:
        """Log-probability of the translation minus that of the other one, nats."""
        return sum(self.score_differences)


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedPair:
    """A text and its translation, with their attention.

    Our own translation has one entry for each sentence, as in `/translate`. A given translation is
    one entry, because it cannot be split like its source. A text without letters has none, because
    no model runs.
    """

    source: str
    translation: str
    sentences: tuple[InspectedSentence, ...]
    contrast: Contrast | None = None
    """To another translation, if there is one; then there is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """Pairs of texts of one direction: the probability of the second given the first."""

    pairs: tuple[tuple[str, str], ...]
    source: str
    target: str
    without_heads: Heads = ()
    """Heads that the model has to do without."""
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """Log-probabilities of a given translation."""

    target_tokens: tuple[str, ...]
    """`</s>` last."""
    token_log_probs: tuple[float, ...]
    """Of every token, nats."""

    @property
    def log_prob(self) -> float:
        """Of the whole translation, nats."""
        return sum(self.token_log_probs)
