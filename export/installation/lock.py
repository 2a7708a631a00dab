"""One installation at a time in a folder of bundles."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import InstallError

_LOCK_NAME = ".install.lock"


@contextmanager
def installation_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is created if it is missing.

    The system frees the lock when the process ends, however it ends.

    Raises:
        InstallError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InstallError(
                f"another installation is at work in {folder}: wait until it has ended"
            ) from error
        yield
    finally:
        os.close(descriptor)
