"""The files of a finished bundle: their digests, and publishing under its name."""

from collections.abc import Iterable
from pathlib import Path

from bundle.manifest import MANIFEST_NAME, FileEntry
from bundle.reader import sha256_of
from export.errors import ExportError


def file_entries(paths: Iterable[Path]) -> dict[str, FileEntry]:
    """The manifest's entries of files."""
    return {
        path.name: FileEntry(sha256=sha256_of(path), size_bytes=path.stat().st_size)
        for path in sorted(paths)
    }


def check_replaceable(out: Path, *, force: bool) -> None:
    """Refuse to overwrite other files.

    Raises:
        ExportError: `out` exists, and either `force` is not given or it is no bundle.
    """
    if not out.exists():
        return
    if not force:
        raise ExportError(f"{out} exists: use --force to replace it, or name another")
    if not (out / MANIFEST_NAME).is_file():
        raise ExportError(f"{out} is no bundle, so it is not replaced: name another folder")


def publish(staged: Path, out: Path) -> None:
    """Rename a finished bundle to `out`; an older one there moves beside `staged`."""
    old = staged.with_name("replaced")
    if out.exists():
        out.rename(old)
    staged.rename(out)
