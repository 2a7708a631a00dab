"""Paths in the errors of commands: every error of the system says which file it is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import StartupError

STANDARD_OUTPUT = "standard output"
STANDARD_INPUT = "standard input"


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Adds a path to errors of the system that have none, as those of reading and writing."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def described(error: OSError) -> str:
    """Path and reason of an error, without its number."""
    if error.strerror is None:
        return str(error)
    paths = [str(path) for path in (error.filename, error.filename2) if path is not None]
    return ": ".join((" -> ".join(paths), error.strerror) if paths else (error.strerror,))


def check_input(path: Path) -> None:
    """Refuses a path that cannot be read as a file.

    Raises:
        StartupError: It is a directory, or there is no such file.
    """
    if path.is_dir():
        raise StartupError(f"{path} is a directory: name a file")
    if not path.exists():
        raise StartupError(f"there is no file {path}")


def check_output(path: Path, flag: str) -> None:
    """Refuses a path that no file can be written to.

    Raises:
        StartupError: It is a directory, or its folder does not exist.
    """
    if path.is_dir():
        raise StartupError(f"{flag} {path}: it is a directory: name a file")
    if not path.parent.is_dir():
        raise StartupError(f"{flag} {path}: there is no folder {path.parent}")
