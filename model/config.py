"""The configuration of a training run, one TOML file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.architecture import (
    Activation,
    Architecture,
    AttentionScore,
    NormPosition,
    Positions,
)
from model.directions import Direction, language_tag
from model.errors import ConfigError

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SourceConfig(_Section):
    """One corpus of the training data, by its name in the third column."""

    name: str
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Expected uses of each pair in an epoch; 0.1 is a random tenth, 2 is twice."""
    licence: str = ""
    held_out: Annotated[int, Field(ge=0)] = 0
    """Pairs excluded from training and kept beside the run, to measure quality by domain."""
    keep_best: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of pairs to train on: the likeliest by the weights that the run begins from."""


class DataConfig(_Section):
    """Training and development data; paths are relative to `--data`."""

    source_language: str
    target_language: str
    both_directions: bool = False
    """Train one model both ways: each source begins with the piece of its target language."""
    train: Annotated[tuple[str | tuple[str, str], ...], Field(min_length=1)]
    """Tab-separated files, or pairs of line-aligned files; .xz and .gz are read as they are."""
    dev: str | tuple[str, str]
    held_out: tuple[str, ...] = ()
    """Files of pairs for measuring quality; neither of their sides is trained on."""
    max_tokens: Positive = 128
    """Longer pairs are left out."""
    sources: tuple[SourceConfig, ...] = ()
    """Where given, pairs of unnamed sources are left out."""
    is_filtered: bool = False
    """Leave out copies, extreme length ratios, unequal placeholders and wrong languages."""
    is_cleaned: bool = False
    """Normalise spaces, quotation marks and dots; leave out format markers and unequal numbers."""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """That of the files, and the reverse if both are trained."""
        source, target = self.source_language, self.target_language
        if not self.both_directions:
            return (Direction(source=source, target=target),)
        return (
            Direction(source=source, target=target, prefix=language_tag(target)),
            Direction(source=target, target=source, prefix=language_tag(source), is_reversed=True),
        )


Share = Annotated[float, Field(ge=0, le=1)]


class AugmentationConfig(_Section):
    """Share of each source's pairs of which a variant is made; it has the weight of the pair."""

    placeholders: Share = 0.0
    """Replace numbers, names, addresses and tags that both sides share by placeholder pieces."""
    capitals: Share = 0.0
    """BOTH SIDES IN CAPITALS."""
    lower_case: Share = 0.0
    """The source in lower case; the target is unchanged."""
    unfinished: Share = 0.0
    """Both sides without their final punctuation."""
    spacing: Share = 0.0
    """The source with a spurious or missing space at its punctuation."""
    quotes: Share = 0.0
    """The source with other quotation marks or, if it has none, typographic apostrophes."""
    pieces: Share = 0.0
    """The source in smaller pieces of the vocabulary."""
    fragments: Share = 0.0
    """One clause of both sides, if the same punctuation divides them."""
    joined: Share = 0.0
    """Two or three pairs of one source concatenated."""


class TokenizerConfig(_Section):
    """The shared SentencePiece vocabulary."""

    kind: Literal["unigram", "bpe"] = "unigram"
    vocab_size: Annotated[int, Field(gt=0, le=65_536)] = 8000
    """Ids must fit 16 bits: the encoded corpus is held in memory."""
    language_tags: tuple[str, ...] = (">>en<<", ">>de<<")
    num_placeholders: Annotated[int, Field(ge=0, le=10)] = 10
    sample_sentences: Positive = 400_000


class ArchitectureConfig(_Section):
    """See `model.architecture.Architecture`; the vocabulary's size comes from the tokenizer."""

    d_model: Positive = 512
    d_ff: Positive = 2048
    num_heads: Positive = 8
    num_encoder_layers: Positive = 6
    num_decoder_layers: Positive = 6
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    inner_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    activation: Activation = "relu"
    norm_position: NormPosition = "post"
    positions: Positions = "sinusoidal"
    max_positions: Positive = 512
    max_distance: Positive = 16
    attention_score: AttentionScore = "scaled_dot"
    scale_embedding: bool = True
    tie_embeddings: bool = True

    def with_vocabulary(self, vocab_size: int) -> Architecture:
        """The architecture for a vocabulary."""
        return Architecture(vocab_size=vocab_size, **self.model_dump())

    @model_validator(mode="after")
    def _fits_together(self) -> "ArchitectureConfig":
        """Report faults before the tokenizer is trained; they do not depend on its size."""
        try:
            self.with_vocabulary(1)
        except ConfigError as error:
            raise ValueError("; ".join(error.faults)) from error
        return self


class TrainingConfig(_Section):
    """Batches, budget, optimiser and validation."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    batch_tokens: Positive = 3000
    """Target tokens of a batch, padding included."""
    batches_per_update: Positive = 1
    """Batches whose gradients are summed; the processes of torchrun divide them."""
    max_steps: Positive | None = None
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    """Budget of wall-clock time over all resumes. Only a run bounded by steps repeats exactly."""
    patience: Positive | None = None
    """Validations without a better mean chrF after which the run ends early."""
    optimizer: Literal["adam", "muon"] = "adam"
    """`muon` updates matrices with Muon and all else with Adam."""
    learning_rate: Rate = 1e-3
    """Peak rate of Adam."""
    matrix_learning_rate: Rate = 2e-3
    """Peak rate of Muon."""
    schedule: Literal["inverse_sqrt", "trapezoid"] = "inverse_sqrt"
    """`inverse_sqrt` is the paper's; `trapezoid` is constant, then linear to zero at the end."""
    warmup_steps: Positive = 400
    decay_start: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the budget after which the trapezoid falls."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    max_gradient_norm: Annotated[float, Field(gt=0)] = 1.0
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the exponential moving average of the weights, which is validated."""
    average_checkpoints: Annotated[int, Field(ge=0)] = 0
    """Validated weights, counted from the last, whose mean is `averaged.pt`; 0: only the last."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of the forward and backward pass; updates are always fp32."""
    log_every: Positive = 50
    validate_every: Positive = 1000
    checkpoint_every: Positive = 500
    validation_sentences: Positive = 200
    """Pairs of the development set and of each of `validation_sources` to score."""
    validation_sources: tuple[str, ...] = ()
    """Sources whose held-out pairs are scored as well."""

    @model_validator(mode="after")
    def _has_an_end(self) -> "TrainingConfig":
        if self.max_steps is None and self.max_minutes is None:
            raise ValueError("max_steps or max_minutes is needed: a run must end")
        return self


class RunConfig(_Section):
    """The configuration file."""

    name: str
    data: DataConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    architecture: ArchitectureConfig = ArchitectureConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    training: TrainingConfig

    def resumes(self, other: "RunConfig") -> bool:
        """Whether a run of `other` can resume with this: only what may change differs."""
        return self.model_dump(exclude=_MAY_CHANGE) == other.model_dump(exclude=_MAY_CHANGE)

    @model_validator(mode="after")
    def _positions_suffice(self) -> "RunConfig":
        longest, positions = self.data.max_tokens, self.architecture.max_positions
        if longest > positions:
            raise ValueError(
                f"data.max_tokens {longest} is over architecture.max_positions {positions}"
            )
        return self

    @model_validator(mode="after")
    def _directions_have_pieces(self) -> "RunConfig":
        tags = self.tokenizer.language_tags
        missing = [d.prefix for d in self.data.directions if d.prefix and d.prefix not in tags]
        if missing:
            raise ValueError(f"tokenizer.language_tags lacks {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _watched_sources_are_held_out(self) -> "RunConfig":
        held_out = {source.name for source in self.data.sources if source.held_out}
        missing = [n for n in self.training.validation_sources if n not in held_out]
        if missing:
            raise ValueError(f"training.validation_sources: no held_out of {', '.join(missing)}")
        return self


_MAY_CHANGE: Mapping[str, bool | set[str]] = {
    "training": {
        "max_steps",
        "max_minutes",
        "patience",
        "schedule",
        "decay_start",
        "label_smoothing",
        "precision",
        "log_every",
        "validate_every",
        "checkpoint_every",
        "validation_sentences",
        "validation_sources",
    },
}
"""Settings that may change when a run resumes: budget, schedule, losses, validation, and the
precision, because weights, moments and averages are fp32 in either."""
_RETIRED = ("alignment",)
"""It supervised a head of the cross-attention."""


def read_config(path: Path) -> RunConfig:
    """Read a run's TOML.

    Raises:
        ConfigError: It cannot be read, or has wrong or unknown values; lists all of them.
    """
    try:
        return parse_config(path.read_text(encoding="utf-8"), where=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [str(error)]) from error


def parse_config(text: str, *, where: str) -> RunConfig:
    """Parse a run's TOML; `where` names it in errors.

    Raises:
        ConfigError: It has wrong or unknown values; lists all of them.
    """
    return _validated(_sections(text, where), where)


def parse_recorded_config(text: str, *, where: str) -> RunConfig:
    """Like `parse_config`, of the TOML that a checkpoint or a bundle keeps of its training.

    Sections that an earlier version had are left out.
    """
    sections = _sections(text, where)
    return _validated({n: v for n, v in sections.items() if n not in _RETIRED}, where)


def _sections(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(where, [f"not TOML: {error}"]) from error


def _validated(sections: Mapping[str, Any], where: str) -> RunConfig:
    try:
        return RunConfig.model_validate(sections)
    except ValidationError as error:
        details = error.errors(include_url=False)
        faults = [": ".join([".".join(map(str, d["loc"])), d["msg"]]) for d in details]
        raise ConfigError(where, [fault.removeprefix(": ") for fault in faults]) from error
