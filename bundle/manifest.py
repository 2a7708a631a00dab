"""The manifest: everything that is said about a bundle, as frozen values with one JSON form."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8})*$")]
Positive = Annotated[int, Field(gt=0)]
TokenId = Annotated[int, Field(ge=0)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LanguagePair(_Value):
    """A direction that the model translates."""

    source: LanguageCode
    """BCP-47 code."""
    target: LanguageCode
    """BCP-47 code."""
    source_prefix: str | None = None
    """Piece put before the source that chooses the target language, such as `>>de<<`."""

    def __str__(self) -> str:
        return f"{self.source}->{self.target}"


class SpecialIds(_Value):
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


class Architecture(_Value):
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
    num_encoder_layers: Positive
    """Layers of the encoder."""
    num_decoder_layers: Positive
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


class DecodingDefaults(_Value):
    """Used where a request does not say otherwise."""

    beam_size: Positive = 1
    """Hypotheses that are kept where a request does not say; 1 is greedy search."""
    length_penalty: Annotated[float, Field(ge=0)] = 0.6
    """Alpha of Wu et al. (2016); 0 ranks by the plain sum of log-probabilities."""


class FileEntry(_Value):
    """One file of the bundle, as it must be found."""

    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]


class DataSource(_Value):
    """A corpus that the model was trained on."""

    name: str
    """Of the corpus."""
    licence: str
    """Of this part of the training data."""
    pairs: Annotated[int, Field(ge=0)]
    """Sentence pairs taken from it."""


class ForeignOrigin(_Value):
    """A checkpoint that another program trained and wrote."""

    kind: str
    """As `pellucid import` calls it."""
    name: str
    """Of the program that trained the model."""
    files: dict[str, Sha256]
    """What was read."""
    licence: str | None = None
    """Of the weights, where their publisher has one for all of them."""


class Provenance(_Value):
    """Where the weights come from."""

    created: str
    """UTC, ISO 8601."""
    commit: str
    """Of this project."""
    training_config: str
    """The run's TOML, whole; of a foreign checkpoint its own configuration."""
    training_steps: Annotated[int, Field(ge=0)]
    """Updates of the weights."""
    training_target_tokens: Annotated[int, Field(ge=0)]
    """Target tokens seen, repetitions included."""
    training_minutes: Annotated[float, Field(ge=0)]
    """Wall-clock time."""
    data: tuple[DataSource, ...] = ()
    """Corpora that the model was trained on."""
    foreign: ForeignOrigin | None = None
    """None: trained here."""


class TrainingStage(_Value):
    """One training run that the weights went through."""

    name: str
    """Of the run's configuration."""
    seed: int
    steps: Annotated[int, Field(ge=0)]
    target_tokens: Annotated[int, Field(ge=0)]
    minutes: Annotated[float, Field(ge=0)]
    """Wall-clock time over all resumes."""
    began_from: tuple[str, ...] | None
    """Stages whose weights it began from: empty for random weights, several for their mean; None
    where it was not recorded."""


class Lineage(_Value):
    """Every training run that had a part in the weights."""

    stages: tuple[TrainingStage, ...]
    """Each after the stages that it began from."""
    mean_of: tuple[str, ...]
    """Stages whose weights these are: one, or several for their mean."""

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def target_tokens(self) -> int:
        """Target tokens of all stages."""
        return sum(stage.target_tokens for stage in self.stages)

    @property
    def minutes(self) -> float:
        """Minutes of all stages."""
        return sum(stage.minutes for stage in self.stages)


class OriginalParity(_Value):
    """How far the graphs are from the program that a foreign checkpoint belongs to (both fp32)."""

    implementation: str
    """Library and version."""
    sentences: Annotated[int, Field(ge=0)]
    """Decoded by both."""
    max_logit_error: Annotated[float, Field(ge=0)]
    """Largest difference of a logit along the original's greedy translations; of a step with
    logits over 5, divided by a fifth of the largest."""
    identical_sentences: Annotated[int, Field(ge=0)]
    """Greedy translations that are the same."""
    beam_size: Positive
    """Of the search that was compared."""
    beams: Annotated[int, Field(ge=0)]
    """Sentences whose best hypothesis ended by itself; others are not compared."""
    identical_beams: Annotated[int, Field(ge=0)]
    """Best hypotheses of a beam, without length penalty, that are the same."""
    max_score_error: Annotated[float, Field(ge=0)]
    """Largest difference of their log-probabilities, over what the original gives."""


class ParityReport(_Value):
    """How far the exported graphs are from the network that was trained (both fp32)."""

    encoder_max_error: Annotated[float, Field(ge=0)]
    """Largest absolute difference of the cross-attention keys and values."""
    first_step_max_error: Annotated[float, Field(ge=0)]
    """Of logits; of a step with logits over 5, divided by a fifth of the largest."""
    later_steps_max_error: Annotated[float, Field(ge=0)]
    """Largest difference of a logit after the first step."""
    ragged_batch_max_error: Annotated[float, Field(ge=0)]
    """Largest difference of a logit in a batch of unequal lengths."""
    attention_max_error: Annotated[float, Field(ge=0)]
    """Of maps and log-probabilities, against one teacher-forced pass."""
    cached_attention_max_error: Annotated[float, Field(ge=0)] | None = None
    """Likewise, against maps collected token by token from the cached decoder; None in bundles
    that were exported before this was measured."""
    sentences: Annotated[int, Field(ge=0)]
    """Sentences decoded greedily by both."""
    identical_sentences: Annotated[int, Field(ge=0)]
    """Greedy translations that both wrote alike."""
    token_agreement: Annotated[float, Field(ge=0, le=1)]
    """Share of steps at which both chose the same token."""
    original: OriginalParity | None = None
    """None: trained here, or the original program was not installed."""


class QualityReport(_Value):
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
    changed_against_fp32: Annotated[float, Field(ge=0, le=1)]
    """Share of sentences whose text differs from the fp32 translation."""
    max_logit_error: Annotated[float, Field(ge=0)]
    """Largest difference to the fp32 logits, teacher-forced."""


class AlignmentHead(_Value):
    """The head of the decoder's cross-attention that looks at the translated word most often."""

    layer: Annotated[int, Field(ge=0)]
    """Of the decoder, from 0."""
    head: Annotated[int, Field(ge=0)]
    """Index in that layer, from 0."""
    shift: Annotated[int, Field(ge=0, le=1)] = 0
    """0: it looks while it writes a token; 1: when it reads it again, one step later."""
    agreement: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the target pieces at whose origin it looks most, as IBM Model 1 sees it."""


HeadName = Literal["aligner", "previous", "next", "sink", "current"]
"""What a head looks at most: the translated word, the token before, the token after, the end of the
source or the start of the target, or the token itself."""
Share = Annotated[float, Field(ge=0, le=1)]


class HeadReport(_Value):
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


class HeadsReport(_Value):
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


class Canary(_Value):
    """A sentence whose translation is known: what the readiness probe runs."""

    pair: LanguagePair
    source_text: str
    target_ids: tuple[TokenId, ...]
    """Greedy translation without the end token."""


class Quantization(_Value):
    """How the linear layers were quantised."""

    static_tensors: tuple[str, ...] = ()
    """Activations with a calibrated constant scale."""
    per_row_tensors: tuple[str, ...] = ()
    """Activations scaled row by row, because a constant scale cost too much."""
    noise_ratios: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Per activation: rounding noise of a constant scale over that of scales per row, as power."""


class Speedup(_Value):
    """How much faster greedy decoding is for something, at one size of the batch."""

    rows: Positive
    """Sentences at once."""
    ratio: Annotated[float, Field(ge=0)]
    """Time without it over time with it."""


class Shortlist(_Value):
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


class ReliabilityBin(_Value):
    """Held-out sentences of about the same confidence."""

    sentences: Positive
    confidence: Annotated[float, Field(ge=0, le=1)]
    """Mean."""
    accepted: Annotated[float, Field(ge=0, le=1)]
    """Share that was close enough to the reference."""


class DoubtCalibration(_Value):
    """The held-out text that confidence was calibrated on, and how well it fits."""

    dataset: str
    sentences: Positive
    """Of all directions."""
    beam_size: Positive
    max_deviation: Annotated[float, Field(gt=0)]
    """A translation counts as accepted up to this: (1 - chrF / 100) times the square root of the
    characters of the reference."""
    area_under_curve: Annotated[float, Field(ge=0, le=1)]
    """Chance that an accepted sentence has more confidence than another, cross-validated."""
    doubtful_words: Annotated[float, Field(ge=0, le=1)]
    """Share of the words in accepted sentences that are marked."""
    doubtful_words_elsewhere: Annotated[float, Field(ge=0, le=1)]
    """Share of the words in all others that are marked."""
    bins: tuple[ReliabilityBin, ...]
    """By confidence, cross-validated."""


class Doubt(_Value):
    """What confidence is computed from, and what counts as doubtful; see `bundle.doubt`."""

    bias: float
    mean_weight: Annotated[float, Field(ge=0)]
    """Of the mean log-probability of a token, nats."""
    total_weight: Annotated[float, Field(ge=0)]
    """Of the summed log-probability of the sentence, nats."""
    low_confidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    """A sentence below it is doubtful."""
    low_word: Annotated[float, Field(le=0)]
    """A word with a summed log-probability below it is doubtful, nats."""
    calibration: DoubtCalibration | None = None
    """None: taken from another model."""


class KnownWords(_Value):
    """The filter of one language in `known_words.bin`; see `bundle.known_words`."""

    language: LanguageCode
    """Of the words."""
    words: Positive
    """Words that the training text has often enough."""
    size_bytes: Annotated[int, Field(gt=0, le=1 << 24)]
    """Of its part of the file, which has the filters in the order of the manifest."""
    num_hashes: Annotated[int, Field(gt=0, le=32)]
    """Bits of a word."""


class Manifest(_Value):
    """`manifest.json` of a bundle."""

    format_version: Literal[1]
    name: Annotated[str, Field(min_length=1)]
    pairs: Annotated[tuple[LanguagePair, ...], Field(min_length=1)]
    special_ids: SpecialIds
    placeholders: tuple[str, ...] = ()
    """Pieces that the model copies: they stand in for what must not be translated."""
    alignment_head: AlignmentHead | None = None
    """Where word alignments are read; None: nowhere better than in the mean of the last layer."""
    max_source_tokens: Positive
    """Longest source in tokens, prefix and end token included."""
    max_target_tokens: Positive
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
