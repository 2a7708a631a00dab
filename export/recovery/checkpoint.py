"""Writes the weights of a bundle as a checkpoint, from which training can go on."""

from pathlib import Path

from bundle.provenance import Provenance
from bundle.reader import Bundle
from bundle.tensors import SOURCE_TOKENIZER_NAME
from export.errors import ExportError
from export.recovery.network import network_of_bundle
from model.config import parse_recorded_config
from model.errors import CheckpointError
from model.training.checkpoint import (
    AVERAGED_NAME,
    CONFIG_NAME,
    TOKENIZER_NAME,
    Progress,
    lineage_of_run,
    save_model,
)
from model.training.lineage import Lineage, read_lineage


def recover_checkpoint(bundle: Bundle, out: Path) -> Path:
    """Write `averaged.pt` with its vocabulary and configuration.

    Weights of an int8 bundle keep the rounding errors of int8.

    Args:
        bundle: Trained by `pellucid train`.
        out: Folder to write to, without an `averaged.pt`.

    Returns:
        Path of the file.

    Raises:
        ExportError: The bundle was imported.
        ModelError: Its configuration or weights cannot be read, or the file exists already.
    """
    written, provenance = out / AVERAGED_NAME, bundle.manifest.provenance
    if provenance.foreign is not None:
        raise ExportError(
            f"{bundle.path} was imported from {provenance.foreign.kind}: only bundles of models "
            "that were trained here become checkpoints"
        )
    if written.exists():
        raise CheckpointError(f"{written} exists already: name another folder")
    model = network_of_bundle(bundle)
    progress = _progress(provenance)
    out.mkdir(parents=True, exist_ok=True)
    (out / TOKENIZER_NAME).write_bytes(bundle.file(SOURCE_TOKENIZER_NAME).read_bytes())
    (out / CONFIG_NAME).write_text(provenance.training_config, encoding="utf-8")
    save_model(
        written,
        model.architecture,
        dict(model.named_parameters()),
        progress,
        config_text=provenance.training_config,
        num_pairs={source.name: source.pairs for source in provenance.data},
        lineage=_lineage(bundle, progress),
    )
    return written


def _progress(provenance: Provenance) -> Progress:
    return Progress(
        step=provenance.training_steps,
        target_tokens=provenance.training_target_tokens,
        seconds=60 * provenance.training_minutes,
    )


def _lineage(bundle: Bundle, progress: Progress) -> Lineage:
    """The recorded one; of an older bundle what its configuration tells."""
    manifest = bundle.manifest
    if manifest.lineage is not None:
        return read_lineage(manifest.lineage.model_dump())
    text = manifest.provenance.training_config
    config = parse_recorded_config(text, where=str(bundle.path))
    return lineage_of_run(config, progress, began_from=None)
