"""What every stage of an export needs, read and checked before any work is done."""

from dataclasses import dataclass

from bundle.manifest import LanguagePair
from bundle.tokenizer import Tokenizer
from export.development_set import DevelopmentPair, DevelopmentSet, encode_pairs
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
    pair: LanguagePair
    dev: DevelopmentSet
    """To verify with."""
    calibration: tuple[DevelopmentPair, ...]


def prepare(options: ExportOptions) -> ExportJob:
    """Read the checkpoint and its development set.

    Raises:
        ExportError: The checkpoint or the options cannot be used; with every reason found.
        ModelError: The checkpoint or the development set cannot be read.
    """
    checkpoint = load_checkpoint(options.checkpoint)
    data = checkpoint.config.data
    max_source, max_target = options.max_source_tokens, options.max_target_tokens
    network = network_of(checkpoint.model, max_source=max_source, max_target=max_target)
    tokenizer = _load_tokenizer(checkpoint, network)
    _check_limits(checkpoint, tokenizer, options)
    pair = LanguagePair(source=data.source_language, target=data.target_language)
    pairs = encode_pairs(
        read_pairs(data.dev, options.data)[0],
        tokenizer,
        pair,
        max_source=max_source,
        max_target=max_target,
    )
    if not pairs:
        raise ExportError(f"{data.dev}: every sentence is longer than the bundle would take")
    count = options.calibration.sentences
    dev, rest = pairs[: options.verification_sentences], pairs[options.verification_sentences :]
    return ExportJob(
        options=options,
        checkpoint=checkpoint,
        network=network,
        tokenizer=tokenizer,
        pair=pair,
        dev=DevelopmentSet(name=str(data.dev), pair=pair, pairs=tuple(dev)),
        calibration=tuple(rest[:count] if len(rest) >= count else pairs[-count:]),
    )


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
