"""Finds the checkpoint in a folder."""

from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError


def checkpoint_file(path: Path, suffix: str, preferred: Sequence[str] = ()) -> Path:
    """The file to read.

    Args:
        path: That file, or a folder with it.
        suffix: Suffix of checkpoints, as in `.pt`.
        preferred: Names that are taken before others, the best first.

    Raises:
        ExportError: The folder has none, or several and none of them is preferred.
    """
    if not path.is_dir():
        return path
    named = [path / name for name in preferred if (path / name).is_file()]
    found = named or sorted(path.glob(f"*{suffix}"))
    if not found:
        raise ExportError(f"{path} has no {suffix} file")
    if not named and len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ExportError(f"{path} has several checkpoints, name one of them: {names}")
    return found[0]
