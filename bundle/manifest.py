"""The manifest: everything that is said about a bundle, as frozen values with one JSON form."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bundle.parity import ParityReport
from bundle.provenance import Lineage, Provenance
from bundle.value import Positive, Sha256, Share, Value

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"

Precision = Literal["fp32", "int8"]
AttentionOperator = Literal["fused", "plain"]
"""What encoder and decoder compute attention with: one operator that is fast, or products and a
softmax for what that operator cannot compute, slower."""
DecoderCell = Literal["self_attention", "ssru"]
"""How a decoder layer reads the target so far: attention to a cache that grows by a key and a value
a token, or a recurrence (simpler simple recurrent unit, Kim et al. 2019) with one state."""
CacheDtype = Literal["float32", "int8"]
MAX_TOKENS = 1 << 14
"""Bound of the limits, beyond what models are trained for: caches are allocated for them."""
MAX_LAYERS = 1 << 10
"""Bound of the layers of a side, whose tensors are listed before any graph is opened."""
TokenLimit = Annotated[int, Field(gt=0, le=MAX_TOKENS)]
NumLayers = Annotated[int, Field(gt=0, le=MAX_LAYERS)]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8})*$")]
TokenId = Annotated[int, Field(ge=0)]


class LanguagePair(Value):
    """A direction that the model translates."""

    source: LanguageCode
    """BCP-47 code."""
    target: LanguageCode
    """BCP-47 code."""
    source_prefix: str | None = None
    """Piece put before the source that chooses the target language, such as `>>de<<`."""

    def __str__(self) -> str:
        return f"{self.source}->{self.target}"


class SpecialIds(Value):
    """Ids with a meaning of their own, in the vocabulary of the graphs."""

    pad: TokenId
    unk: TokenId
    bos: TokenId
    """First decoder input."""
    eos: TokenId
    """Ends every target, and every source where `source_end` does not say otherwise."""
    source_end: tuple[TokenId, ...] | None = None
    """What every source ends with, in its own vocabulary; may be nothing. None: `eos`."""

    @property
    def ends_of_source(self) -> tuple[int, ...]:
        """What every source ends with."""
        return (self.eos,) if self.source_end is None else self.source_end


class Architecture(Value):
    """The shape of the network, as far as the engine and a curious reader need it."""

    vocab_size: Positive
    """Pieces of the target, and of the source where it has no vocabulary of its own."""
    source_vocab_size: Positive | None = None
    """Pieces of the source where they are others than the target's."""
    d_model: Positive
    """Width of embeddings and layers."""
    d_ff: Positive
    """Width of the feed-forward layers."""
    num_heads: Positive
    """Attention heads of each layer."""
    num_encoder_layers: NumLayers
    """Layers of the encoder."""
    num_decoder_layers: NumLayers
    """Layers of the decoder."""
    activation: str
    """Of the feed-forward layers."""
    norm_position: str
    """Normalisation before or after each part of a layer."""
    positions: str
    """How the network knows the order of tokens."""
    attention_score: str = "scaled_dot"
    """How queries and keys are compared."""
    attention_operator: AttentionOperator = "fused"
    """Operator that computes attention in the graphs."""
    decoder_cell: DecoderCell = "self_attention"
    """Self-attention, or the recurrence of Firefox's students."""
    num_parameters: Positive
    """Weights in all."""

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.d_model // self.num_heads

    @model_validator(mode="after")
    def _heads_divide_the_model(self) -> "Architecture":
        if self.d_model % self.num_heads:
            raise ValueError(
                f"d_model {self.d_model} is not a multiple of num_heads {self.num_heads}"
            )
        return self


class DecodingDefaults(Value):
    """Used where a request does not say otherwise."""

    beam_size: Positive = 1
    """Hypotheses that are kept where a request does not say; 1 is greedy search."""
    length_penalty: Annotated[float, Field(ge=0)] = 0.6
    """Alpha of Wu et al. (2016); 0 ranks by the plain sum of log-probabilities."""


class FileEntry(Value):
    """One file of the bundle, as it must be found."""

    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]


class QualityReport(Value):
    """Translation quality of one precision, measured with the service's own engine."""

    dataset: str
    """Name of the set."""
    pair: LanguagePair
    """Direction that was measured."""
    precision: Precision
    """Of the graphs that were measured."""
    sentences: Positive
    """Size of the set."""
    beam_size: Positive
    """Of the search."""
    with_shortlist: bool = False
    """Whether only likely pieces were candidates."""
    bleu: float
    """Of the whole set, by sacreBLEU."""
    chrf: float
    """Of the whole set, by sacreBLEU."""
    bleu_signature: str
    """How sacreBLEU computed it."""
    chrf_signature: str
    """How sacreBLEU computed it."""
    changed_against_fp32: Share
    """Share of sentences whose text differs from the fp32 translation."""
    max_logit_error: Annotated[float, Field(ge=0)]
    """Largest difference to the fp32 logits, teacher-forced."""


class AlignmentHead(Value):
    """The head of the decoder's cross-attention that looks at the translated word most often."""

    layer: Annotated[int, Field(ge=0)]
    """Of the decoder, from 0."""
    head: Annotated[int, Field(ge=0)]
    """Index in that layer, from 0."""
    shift: Annotated[int, Field(ge=0, le=1)] = 0
    """0: it looks while it writes a token; 1: when it reads it again, one step later."""
    agreement: Share | None = None
    """Share of the target pieces at whose origin it looks most, as IBM Model 1 sees it."""


HeadName = Literal["aligner", "previous", "next", "sink", "current"]
"""What a head looks at most: the translated word, the token before, the token after, the end of the
source or the start of the target, or the token itself."""


class HeadReport(Value):
    """What one attention head does, and what is lost without it."""

    kind: Literal["encoder", "decoder", "cross"]
    """Which attention it belongs to."""
    layer: Annotated[int, Field(ge=0)]
    """Index from 0."""
    head: Annotated[int, Field(ge=0)]
    """Index in the layer, from 0."""
    name: HeadName | None
    """None: nothing has most of its weight."""
    entropy: Annotated[float, Field(ge=0)]
    """Mean over the rows of its maps, nats."""
    on_sink: Share
    """Mean weight on the end of the source, or on the start of the target."""
    on_current: Share | None
    """On the token itself; None for cross-attention. The decoder's rows know the token before the
    one that they predict: that one is meant by itself."""
    on_previous: Share
    """On the token before; in cross-attention on the source token before the translated one."""
    on_next: Share | None
    """On the token after, likewise; None for the decoder, which has none."""
    on_aligned: Share | None
    """On the translated source token, when its translation is written or one step later; None but
    for cross-attention."""
    bleu_lost: float
    """BLEU without it less than with it; negative where it is better without."""
    agreement_lost: float | None
    """Share of the target pieces at whose origin the alignment head looks most: less without this
    head. None where the bundle names no alignment head."""


class HeadsReport(Value):
    """What the attention heads of a bundle do, measured with the service's own engine."""

    dataset: str
    """Name of the set."""
    pair: LanguagePair
    """Direction that was measured."""
    sentences: Positive
    """Size of the set."""
    bleu: float
    """With all heads, greedy search."""
    bleu_signature: str
    """How sacreBLEU computed it."""
    agreement: Share | None
    """Of the alignment head, with all heads."""
    heads: tuple[HeadReport, ...]
    """Every head."""


class Canary(Value):
    """A sentence whose translation is known: what the readiness probe runs."""

    pair: LanguagePair
    source_text: str
    target_ids: tuple[TokenId, ...]
    """Greedy translation without the end token."""


class Quantization(Value):
    """How the linear layers were quantised."""

    static_tensors: tuple[str, ...] = ()
    """Activations with a calibrated constant scale."""
    per_row_tensors: tuple[str, ...] = ()
    """Activations scaled row by row, because a constant scale cost too much."""
    noise_ratios: dict[str, Annotated[float, Field(ge=0)]] = Field(default={})
    """Per activation: rounding noise of a constant scale over that of scales per row, as power."""


class Speedup(Value):
    """How much faster greedy decoding is for something, at one size of the batch."""

    rows: Positive
    """Sentences at once."""
    ratio: Annotated[float, Field(ge=0)]
    """Time without it over time with it."""


class Shortlist(Value):
    """The few target pieces that greedy search chooses from, instead of the whole vocabulary."""

    num_common: Positive
    """Pieces that every sentence may use."""
    num_own: Positive
    """Pieces that a sentence may use because of its source."""
    is_ranked: bool = True
    """Whether the likeliest pieces of a source come first, so that those beyond `num_own` can be
    left out; a sentence that needs more has the whole vocabulary where they do not."""
    max_source_tokens: Positive
    """Longer sources would need more pieces: they choose from the whole vocabulary."""
    num_pairs: Positive | None = None
    """Sentence pairs that the table was learnt from; None: it came with a foreign model."""
    speedups: tuple[Speedup, ...] = ()
    """Measured when the shortlist was made."""

    @property
    def num_pieces(self) -> int:
        """Pieces that a sentence chooses from."""
        return self.num_common + self.num_own


class ReliabilityBin(Value):
    """Held-out sentences of about the same confidence."""

    sentences: Positive
    confidence: Share
    """Mean."""
    accepted: Share
    """Share that was close enough to the reference."""


class DoubtCalibration(Value):
    """The held-out text that confidence was calibrated on, and how well it fits."""

    dataset: str
    sentences: Positive
    """Of all directions."""
    beam_size: Positive
    max_deviation: Annotated[float, Field(gt=0)]
    """A translation counts as accepted up to this: (1 - chrF / 100) times the square root of the
    characters of the reference."""
    area_under_curve: Share
    """Chance that an accepted sentence has more confidence than another, cross-validated."""
    doubtful_words: Share
    """Share of the words in accepted sentences that are marked."""
    doubtful_words_elsewhere: Share
    """Share of the words in all others that are marked."""
    bins: tuple[ReliabilityBin, ...]
    """By confidence, cross-validated."""


class Doubt(Value):
    """What confidence is computed from, and what counts as doubtful; see `bundle.doubt`."""

    bias: float
    mean_weight: Annotated[float, Field(ge=0)]
    """Of the mean log-probability of a token, nats."""
    total_weight: Annotated[float, Field(ge=0)]
    """Of the summed log-probability of the sentence, nats."""
    low_confidence: Share = 0.5
    """A sentence below it is doubtful."""
    low_word: Annotated[float, Field(le=0)]
    """A word with a summed log-probability below it is doubtful, nats."""
    calibration: DoubtCalibration | None = None
    """None: taken from another model."""


class KnownWords(Value):
    """The filter of one language in `known_words.bin`; see `bundle.known_words`."""

    language: LanguageCode
    """Of the words."""
    words: Positive
    """Words that the training text has often enough."""
    size_bytes: Annotated[int, Field(gt=0, le=1 << 24)]
    """Of its part of the file, which has the filters in the order of the manifest."""
    num_hashes: Annotated[int, Field(gt=0, le=32)]
    """Bits of a word."""


class Manifest(Value):
    """`manifest.json` of a bundle."""

    format_version: Literal[1]
    name: Annotated[str, Field(min_length=1)]
    pairs: Annotated[tuple[LanguagePair, ...], Field(min_length=1)]
    special_ids: SpecialIds
    placeholders: tuple[str, ...] = ()
    """Pieces that the model copies: they stand in for what must not be translated."""
    alignment_head: AlignmentHead | None = None
    """Where word alignments are read; None: nowhere better than in the mean of the last layer."""
    max_source_tokens: TokenLimit
    """Longest source in tokens, prefix and end token included."""
    max_target_tokens: TokenLimit
    """Longest target in tokens, end token included: the capacity of the cache."""
    architecture: Architecture
    precision: Precision
    cache: CacheDtype
    """What keys and values are kept in; int8 with a scale for every channel."""
    batch_invariant: bool
    """A sentence's arithmetic never depends on its batch mates."""
    quantization: Quantization = Quantization()
    onnxruntime: str | None = None
    """Version that the graphs were verified with; an older one may lack an operator."""
    shortlist: Shortlist | None = None
    decoding: DecodingDefaults = DecodingDefaults()
    files: dict[str, FileEntry]
    """Every file of the bundle but the manifest itself."""
    provenance: Provenance
    """Of the last stage of training, where there are several."""
    lineage: Lineage | None = None
    """All stages of training; None for imported models, and in bundles from before it was kept."""
    parity: ParityReport
    quality: tuple[QualityReport, ...] = ()
    heads: HeadsReport | None = None
    """None: not measured; `pellucid heads` does it."""
    doubt: Doubt | None = None
    """None: `bundle.doubt.DEFAULT_DOUBT`, the embedded model's."""
    known_words: tuple[KnownWords, ...] = ()
    """Of the training text, by languages; none where names are not put back."""
    canary: Canary

    def pair(self, source: str, target: str) -> LanguagePair | None:
        """The direction from `source` to `target`, or None if this bundle lacks it."""
        return next((p for p in self.pairs if (p.source, p.target) == (source, target)), None)
