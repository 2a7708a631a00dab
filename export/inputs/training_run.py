"""Reads the checkpoint and the development set of a training run of `pellucid train`."""

from collections.abc import Iterator

from bundle.manifest import DecodingDefaults
from bundle.tensors import SOURCE_TOKENIZER_NAME
from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.inputs.job import ExportJob, ShortlistText, TrainedModel
from export.inputs.preparation import prepare
from export.inputs.provenance import lineage_of, provenance_of
from export.lexicon.known_words import TrainingText
from export.network import Network, network_of
from export.options import ExportOptions
from export.sentences.development_set import ParallelText, language_pair
from export.verification.torch_reference import TorchReference
from model.data.corpus import read_pairs
from model.data.tokenizer import PLACEHOLDERS
from model.training.checkpoint import Checkpoint, load_checkpoint


def prepare_run(options: ExportOptions) -> ExportJob:
    """The export of a run's checkpoint.

    Raises:
        ExportError: The checkpoint or the options cannot be used; with every reason found.
        ModelError: The checkpoint or the development set cannot be read.
    """
    checkpoint = load_checkpoint(options.checkpoint)
    trained = _trained_tokens(checkpoint)
    network = network_of(
        checkpoint.model,
        max_source=min(options.source_limit, trained),
        max_target=min(options.target_limit, trained),
    )
    tokenizer = _load_tokenizer(checkpoint, network)
    model = TrainedModel(
        reference=TorchReference(checkpoint.model),
        network=network,
        tokenizer=tokenizer,
        tokenizer_files={SOURCE_TOKENIZER_NAME: checkpoint.tokenizer_path.read_bytes()},
        pairs=tuple(map(language_pair, checkpoint.config.data.directions)),
        provenance=provenance_of(checkpoint),
        lineage=lineage_of(checkpoint),
        decoding=DecodingDefaults(
            beam_size=options.beam_size, length_penalty=options.length_penalty
        ),
        placeholders=_placeholders(checkpoint, network, tokenizer),
        shortlist=_shortlist(checkpoint, options),
        training_text=TrainingText(config=checkpoint.config.data, data=options.data),
    )
    return prepare(model, _development_texts(checkpoint, options), options)


def _trained_tokens(checkpoint: Checkpoint) -> int:
    """Positions that training has reached.

    Learned positions behind the longest training pair still hold their initial noise; other kinds
    are computed, and need no training.
    """
    shape = checkpoint.model.architecture
    if shape.positions != "learned":
        return shape.max_positions
    return min(shape.max_positions, checkpoint.config.data.max_tokens)


def _development_texts(checkpoint: Checkpoint, options: ExportOptions) -> Iterator[ParallelText]:
    """The whole development set, once for every direction."""
    data = checkpoint.config.data
    pairs = read_pairs(data.dev, options.data)[0]
    for direction in data.directions:
        yield ParallelText(
            name=str(data.dev),
            pair=language_pair(direction),
            sentences=[pair.towards(direction) for pair in pairs],
        )


def _load_tokenizer(checkpoint: Checkpoint, network: Network) -> Tokenizer:
    try:
        return Tokenizer(checkpoint.tokenizer_path, None, network.special_ids)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"the tokenizer must lie beside the checkpoint: {error}") from error


def _placeholders(
    checkpoint: Checkpoint, network: Network, tokenizer: Tokenizer
) -> tuple[str, ...]:
    """Placeholders of the tokenizer, if the model was trained to copy them."""
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
