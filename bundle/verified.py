"""Remembers which files were verified, so that they are hashed again only when they change.

A record is one small file a bundle: the digest of its manifest, and the identity of each file at
the moment it was hashed. It saves time alone: a record that is missing, damaged or of other files
means that they are hashed. It never says anything of a file whose identity is another.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Identity = tuple[int, int, int, int, int]
"""Size, time of modification, time of change, inode and device; times in nanoseconds."""

_SETTLED_NS = 2_000_000_000
"""Age from which a further write would show in the times: clocks of file systems are coarse."""


def identity_of(path: Path) -> Identity:
    """The identity of a file, which every write changes.

    Raises:
        OSError: There is no such file.
    """
    status = path.stat()
    return (
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,  # a program can set the other one back
        status.st_ino,
        status.st_dev,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The verified files of one bundle, by name."""

    known: Mapping[str, Identity] = field(default_factory=dict)
    """Files as they were when they were hashed earlier."""
    hashed: dict[str, Identity] = field(default_factory=dict)
    """Files as they were when they were hashed now."""

    def is_known(self, name: str, identity: Identity) -> bool:
        """Whether a file is the one that was hashed earlier."""
        return self.known.get(name) == identity


class VerifiedFiles:
    """The records of a folder; nothing fails where it cannot be read or written."""

    def __init__(self, folder: Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Create nothing before something is recorded.

        Args:
            folder: Of the records, this user's own.
            now_ns: The clock of the file system, nanoseconds.
        """
        self._folder = folder
        self._now_ns = now_ns

    def recall(self, bundle: Path, sha256: str) -> Verification:
        """What is known of the bundle in a folder.

        Args:
            bundle: The folder.
            sha256: Digest of its manifest.
        """
        try:
            record = json.loads(self._record(bundle).read_bytes())
            if record["manifest"] != sha256:
                return Verification()
            return Verification(known={n: _identity(v) for n, v in record["files"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Verification()

    def record(self, bundle: Path, sha256: str, verification: Verification) -> None:
        """Keep what was verified, if anything was hashed and has been at rest for seconds."""
        hashed = verification.hashed
        latest_ns = max((max(each[1], each[2]) for each in hashed.values()), default=None)
        if latest_ns is None or self._now_ns() - latest_ns < _SETTLED_NS:
            return
        files = {**verification.known, **hashed}
        content = json.dumps({"manifest": sha256, "files": files})
        with contextlib.suppress(OSError):  # a read-only system hashes every time
            self._write(self._record(bundle), content)

    def _record(self, bundle: Path) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(bundle.resolve())).hexdigest()}.json"

    def _write(self, path: Path, content: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, staged = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
            Path(staged).replace(path)
        except OSError:
            Path(staged).unlink(missing_ok=True)
            raise


def _identity(value: object) -> Identity:
    """An identity as JSON has it.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, list) or [type(item) for item in value] != [int] * 5:
        raise ValueError("no identity")
    size, modified, changed, inode, device = value
    return (size, modified, changed, inode, device)
