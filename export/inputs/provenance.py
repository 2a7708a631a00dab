"""The manifest's record of where the weights come from."""

import datetime
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.provenance import DataSource, ForeignOrigin, Lineage, Provenance, TrainingStage

if TYPE_CHECKING:
    from model.training.checkpoint import Checkpoint


def provenance_of(checkpoint: "Checkpoint") -> Provenance:
    """Provenance of a checkpoint's last stage of training, exported now."""
    licences = {s.name: s.licence for s in checkpoint.config.data.sources}
    progress = checkpoint.progress
    return Provenance(
        created=_now(),
        commit=_commit(),
        training_config=checkpoint.config_text,
        training_steps=progress.step,
        training_target_tokens=progress.target_tokens,
        training_minutes=round(progress.seconds / 60, 1),
        data=tuple(
            DataSource(name=name or "unnamed", licence=licences.get(name) or "unknown", pairs=pairs)
            for name, pairs in sorted(checkpoint.num_pairs.items())
        ),
    )


def lineage_of(checkpoint: "Checkpoint") -> Lineage:
    """Every stage of a checkpoint's training."""
    return Lineage(
        stages=tuple(TrainingStage(**asdict(stage)) for stage in checkpoint.lineage.stages),
        mean_of=checkpoint.lineage.mean_of,
    )


def imported_provenance(origin: ForeignOrigin, config_text: str) -> Provenance:
    """Provenance of a checkpoint of another program, imported now.

    Args:
        origin: Kind, name and files of the checkpoint.
        config_text: Its own configuration.
    """
    return Provenance(
        created=_now(),
        commit=_commit(),
        training_config=config_text,
        training_steps=0,
        training_target_tokens=0,
        training_minutes=0,
        foreign=origin,
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _commit() -> str:
    """Commit of the exporting code; `unknown` outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()
