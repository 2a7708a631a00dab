"""Reads a run's checkpoint and its development set: what an export begins with."""

from collections.abc import Iterator
from dataclasses import replace

from bundle.manifest import DecodingDefaults
from bundle.tensors import SOURCE_TOKENIZER_NAME
from bundle.tokenizer import Tokenizer
from export.development_set import DevelopmentSet, encode_pairs, in_turns, language_pair
from export.errors import ExportError
from export.job import ExportJob, ShortlistText, calibration_pairs, check_job
from export.network import Network, network_of
from export.options import ExportOptions
from export.provenance import provenance_of
from model.checkpoint import Checkpoint, load_checkpoint
from model.corpus import read_pairs
from model.tokenizer import PLACEHOLDERS


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
    check_job(network, tokenizer, options)
    directed = list(_directed(checkpoint, tokenizer, options))
    dev = tuple(_head(each, options.verification_sentences) for each in directed)
    return ExportJob(
        options=options,
        model=checkpoint.model,
        network=network,
        tokenizer=tokenizer,
        tokenizer_files={SOURCE_TOKENIZER_NAME: checkpoint.tokenizer_path.read_bytes()},
        pairs=tuple(each.pair for each in dev),
        provenance=provenance_of(checkpoint),
        decoding=DecodingDefaults(length_penalty=options.length_penalty),
        placeholders=_placeholders(checkpoint, network, tokenizer),
        dev=dev,
        trials=dev,
        calibration=tuple(in_turns([calibration_pairs(each, options) for each in directed])),
        shortlist=_shortlist(checkpoint, options),
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


def _load_tokenizer(checkpoint: Checkpoint, network: Network) -> Tokenizer:
    try:
        return Tokenizer(checkpoint.tokenizer_path, None, network.special_ids)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"the tokenizer must lie beside the checkpoint: {error}") from error


def _placeholders(
    checkpoint: Checkpoint, network: Network, tokenizer: Tokenizer
) -> tuple[str, ...]:
    """Those that the tokenizer has, if the model has learnt to copy them."""
    if not checkpoint.config.augmentation.placeholders:
        return ()
    unknown = network.special_ids.unk
    return tuple(p for p in PLACEHOLDERS if tokenizer.source_id(p) != unknown)


def _shortlist(checkpoint: Checkpoint, options: ExportOptions) -> ShortlistText | None:
    if options.shortlist is None:
        return None
    if options.precision != "int8":
        raise ExportError("a shortlist gathers int8 weights: leave it out, or export in int8")
    return ShortlistText(
        pairs=options.shortlist,
        data=options.data,
        directions=checkpoint.config.data.directions,
        size=options.shortlist_size,
    )
