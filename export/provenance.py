"""Where a bundle's weights come from."""

import datetime
import subprocess
from pathlib import Path

from bundle.manifest import DataSource, Provenance
from model.checkpoint import Checkpoint


def provenance_of(checkpoint: Checkpoint) -> Provenance:
    """What the manifest says of a checkpoint's training, as of now."""
    licences = {s.name: s.licence for s in checkpoint.config.data.sources}
    progress = checkpoint.progress
    now = datetime.datetime.now(datetime.UTC)
    return Provenance(
        created=now.isoformat(timespec="seconds"),
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


def _commit() -> str:
    """Commit of the code that exports, where it is a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()
