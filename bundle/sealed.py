"""Files copied into sealed memory: no later change of the disk reaches them, in any process.

The copy is one memory file: the files, each from the start of a page, then an index. Its descriptor
gives the same memory to other processes.
"""

import errno
import fcntl
import hashlib
import json
import mmap
import os
import struct
import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

_NAME = "pellucid-bundle"
_CHUNK_BYTES = 1 << 20
_LENGTH = struct.Struct("<Q")
_REFUSALS = (errno.ENOSYS, errno.EPERM, errno.EACCES)
"""Error numbers of a system, or of its policy, that gives no sealed memory."""


class SealedFiles(Mapping[str, memoryview]):
    """Contents of files by their names, read-only; mapped at first use."""

    def __init__(self, descriptor: int) -> None:
        """Take over the descriptor of a sealed memory file."""
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    def __getitem__(self, name: str) -> memoryview:
        start, size = self._index[name]
        return self._content[start : start + size]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def _content(self) -> memoryview:
        return memoryview(mmap.mmap(self.descriptor, 0, mmap.MAP_SHARED, mmap.PROT_READ))

    @cached_property
    def _index(self) -> dict[str, tuple[int, int]]:
        content = self._content
        (length,) = _LENGTH.unpack(content[-_LENGTH.size :])
        found = json.loads(bytes(content[-_LENGTH.size - length : -_LENGTH.size]))
        return {name: (start, size) for name, (start, size) in found.items()}


class Sealer:
    """Copies files into memory, one after the other, and seals them."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "wb")
        self._index: dict[str, tuple[int, int]] = {}

    @classmethod
    def create(cls) -> "Sealer | None":
        """An empty memory file; None where the system has none that can be sealed.

        Raises:
            OSError: There is no room for another.
        """
        if not hasattr(os, "memfd_create"):
            return None
        try:
            return cls(os.memfd_create(_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
        except OSError as error:
            if error.errno in _REFUSALS:
                return None
            raise

    def add(self, name: str, content: bytes) -> None:
        """Add a file that has been read."""
        start = self._begin()
        self._file.write(content)
        self._index[name] = (start, len(content))

    def copy(self, name: str, path: Path, *, hashes: bool = True) -> str | None:
        """Add the file at `path`.

        Returns:
            The hexadecimal SHA-256 of the bytes that were copied; None unless `hashes`.
        """
        start = self._begin()
        digest = hashlib.sha256()
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                if hashes:
                    digest.update(chunk)
                self._file.write(chunk)
        self._index[name] = (start, self._file.tell() - start)
        return digest.hexdigest() if hashes else None

    def seal(self) -> SealedFiles:
        """The files, which nothing can change from now on."""
        index = json.dumps(self._index).encode()
        self._file.write(index + _LENGTH.pack(len(index)))
        self._file.flush()
        descriptor = os.dup(self._file.fileno())
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        self.close()
        return SealedFiles(descriptor)

    def close(self) -> None:
        """Drop what has not been sealed."""
        self._file.close()

    def _begin(self) -> int:
        """Go to the start of the next page; returns its place."""
        return self._file.seek(-(-self._file.tell() // mmap.PAGESIZE) * mmap.PAGESIZE)
