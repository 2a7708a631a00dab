"""Which file of a folder is the checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError


def checkpoint_file(path: Path, kind: str, best: Sequence[str] = ()) -> Path:
    """The file to read.

    Args:
        path: That file, or a folder with it.
        kind: How its name ends, as in `.pt`.
        best: Names that are taken before others, the first one first.

    Raises:
        ExportError: The folder has none, or several and nothing says which.
    """
    if not path.is_dir():
        return path
    named = [path / name for name in best if (path / name).is_file()]
    found = named or sorted(path.glob(f"*{kind}"))
    if not found:
        raise ExportError(f"{path} has no {kind} file")
    if not named and len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ExportError(f"{path} has several checkpoints, name one of them: {names}")
    return found[0]
