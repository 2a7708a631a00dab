"""Progress of a download: a bar on a terminal, else one line per file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def download_progress(
    name: str, size_bytes: int | None, done_bytes: int
) -> Iterator[Callable[[int], object]]:
    """A function that is called with every number of bytes that has arrived.

    Args:
        name: Of the file.
        size_bytes: Its size, where it is known.
        done_bytes: Bytes that an earlier attempt has left.
    """
    if not sys.stderr.isatty():
        resumed = f", resumed at {megabytes(done_bytes)}" if done_bytes else ""
        sys.stderr.write(f"downloading {name}, {megabytes(size_bytes)}{resumed}\n")
        yield lambda _: None
        return
    with tqdm(
        total=size_bytes,
        initial=done_bytes,
        desc=name,
        unit="B",
        unit_scale=True,
        file=sys.stderr,
    ) as bar:
        yield bar.update


def megabytes(size_bytes: int | None) -> str:
    """A size as a person reads it."""
    return "size unknown" if size_bytes is None else f"{size_bytes / 1e6:.1f} MB"
