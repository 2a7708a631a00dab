"""What every stage of an export needs, read and checked before any work is done."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bundle.manifest import LanguagePair
from bundle.tokenizer import Tokenizer
from export.development_set import (
    DevelopmentPair,
    DevelopmentSet,
    encode_pairs,
    in_turns,
    language_pair,
)
from export.errors import ExportError
from export.network import Network, network_of
from export.options import ExportOptions
from model.checkpoint import Checkpoint, load_checkpoint
from model.corpus import read_pairs

HEAD_DIM_STEP = 8
"""onnxruntime's fused attention takes no other head widths than multiples of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """A checkpoint that can be exported, and sentences to verify it with."""

    options: ExportOptions
    checkpoint: Checkpoint
    network: Network
    tokenizer: Tokenizer
    dev: tuple[DevelopmentSet, ...]
    """To verify with, one for every direction."""
    calibration: tuple[DevelopmentPair, ...]
    """Of all directions."""

    @property
    def pairs(self) -> tuple[LanguagePair, ...]:
        """Directions of the bundle."""
        return tuple(dev.pair for dev in self.dev)

    @property
    def verification(self) -> list[DevelopmentPair]:
        """Sentences of all directions, in turns."""
        return in_turns([dev.pairs for dev in self.dev])


def prepare(options: ExportOptions) -> ExportJob:
    """Read the checkpoint and its development set.

    Raises:
        ExportError: The checkpoint or the options cannot be used; with every reason found.
        ModelError: The checkpoint or the development set cannot be read.
    """
    checkpoint = load_checkpoint(options.checkpoint)
    max_source, max_target = options.max_source_tokens, options.max_target_tokens
    network = network_of(checkpoint.model, max_source=max_source, max_target=max_target)
    tokenizer = _load_tokenizer(checkpoint, network)
    _check_limits(checkpoint, tokenizer, options)
    directed = list(_directed(checkpoint, tokenizer, options))
    return ExportJob(
        options=options,
        checkpoint=checkpoint,
        network=network,
        tokenizer=tokenizer,
        dev=tuple(_head(dev, options.verification_sentences) for dev in directed),
        calibration=tuple(in_turns([_calibration(dev, options) for dev in directed])),
    )


def _directed(
    checkpoint: Checkpoint, tokenizer: Tokenizer, options: ExportOptions
) -> Iterator[DevelopmentSet]:
    """The whole development set, once for every direction."""
    data = checkpoint.config.data
    pairs = read_pairs(data.dev, options.data)[0]
    for direction in data.directions:
        pair = language_pair(direction)
        encoded = encode_pairs(
            [p.towards(direction) for p in pairs],
            tokenizer,
            pair,
            max_source=options.max_source_tokens,
            max_target=options.max_target_tokens,
        )
        if not encoded:
            raise ExportError(f"{data.dev}: every sentence is longer than the bundle would take")
        yield DevelopmentSet(name=str(data.dev), pair=pair, pairs=tuple(encoded))


def _head(dev: DevelopmentSet, count: int) -> DevelopmentSet:
    return replace(dev, pairs=dev.pairs[:count])


def _calibration(dev: DevelopmentSet, options: ExportOptions) -> tuple[DevelopmentPair, ...]:
    count, rest = options.calibration.sentences, dev.pairs[options.verification_sentences :]
    return rest[:count] if len(rest) >= count else dev.pairs[-count:]


def _load_tokenizer(checkpoint: Checkpoint, network: Network) -> Tokenizer:
    try:
        return Tokenizer(checkpoint.tokenizer_path, None, network.special_ids)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"the tokenizer must lie beside the checkpoint: {error}") from error


def _check_limits(checkpoint: Checkpoint, tokenizer: Tokenizer, options: ExportOptions) -> None:
    shape = checkpoint.model.architecture
    faults = []
    if shape.head_dim % HEAD_DIM_STEP:
        faults.append(
            f"heads are {shape.head_dim} wide, onnxruntime takes multiples of {HEAD_DIM_STEP}: "
            "train with another num_heads"
        )
    if max(options.max_source_tokens, options.max_target_tokens) > shape.max_positions:
        faults.append(
            f"the model has {shape.max_positions} positions: ask for no more tokens than that"
        )
    if tokenizer.vocab_size != shape.vocab_size:
        faults.append(
            f"the tokenizer has {tokenizer.vocab_size} pieces, the model {shape.vocab_size}: "
            "they are not of the same run"
        )
    if options.shortlist is not None and options.precision != "int8":
        faults.append("a shortlist gathers int8 weights: leave it out, or export in int8")
    if faults:
        raise ExportError("; ".join(faults))
