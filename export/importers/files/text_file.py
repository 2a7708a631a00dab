"""Reads text files."""

from pathlib import Path

from export.errors import ExportError


def read_text(path: Path) -> str:
    """The content of a file in UTF-8.

    Raises:
        ExportError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error


def read_lines(path: Path) -> list[str]:
    """The lines of a file in UTF-8.

    Not `splitlines`, which also splits at characters that may be pieces of a vocabulary.

    Raises:
        ExportError: It cannot be read.
    """
    return read_text(path).removesuffix("\n").split("\n")
