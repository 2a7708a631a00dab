"""A control group that limits the memory of one process and of its children, where one can be made.

With the first version of control groups as with the second; needs the right to create one.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOTS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
_LIMITS = {"memory.limit_in_bytes": "memory.memsw.limit_in_bytes", "memory.max": "memory.swap.max"}
_PEAKS = ("memory.max_usage_in_bytes", "memory.peak")
_GIVE_UP_S = 10.0


class NoCgroupError(Exception):
    """None can be made here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCgroup:
    """A group; a process joins it by writing itself into `processes`."""

    folder: Path

    @property
    def processes(self) -> Path:
        """File of the processes in it."""
        return self.folder / "cgroup.procs"

    @property
    def peak_bytes(self) -> int | None:
        """Most that it ever had, files in memory included; None where the kernel does not say."""
        for name in _PEAKS:
            if (self.folder / name).exists():
                return int((self.folder / name).read_text("ascii"))
        return None


@contextmanager
def memory_cgroup(limit_bytes: int) -> Iterator[MemoryCgroup]:
    """A group that may have so many bytes; removed at the end, once its processes have ended.

    Raises:
        NoCgroupError: None can be made.
    """
    group = _create(limit_bytes)
    try:
        yield group
    finally:
        _remove(group.folder)


def _create(limit_bytes: int) -> MemoryCgroup:
    reasons = []
    for parent in _parents():
        folder = parent / f"pellucid-attack-{uuid.uuid4().hex[:8]}"
        try:
            folder.mkdir()
        except OSError as error:
            reasons.append(f"{parent}: {error.strerror}")
            continue
        limits = [name for name in _LIMITS if (folder / name).exists()]
        try:
            for name in limits:
                (folder / name).write_text(str(limit_bytes), "ascii")
                _limit_swap(folder / _LIMITS[name], limit_bytes)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror}")
        else:
            if limits:
                return MemoryCgroup(folder=folder)
            reasons.append(f"{parent}: has no controller of memory")
        folder.rmdir()
    raise NoCgroupError("; ".join(reasons) or "there are no control groups")


def _limit_swap(file: Path, limit_bytes: int) -> None:
    """Memory and swap together in the first version, swap alone in the second."""
    if file.exists():
        is_second = file.name == "memory.swap.max"
        file.write_text("0" if is_second else str(limit_bytes), "ascii")


def _parents() -> list[Path]:
    """The group of this process in each hierarchy that may control memory, then the roots."""
    own = []
    for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            own.append(_ROOTS[0] / path.lstrip("/"))
        elif not controllers:
            own.append(_ROOTS[1] / path.lstrip("/"))
    return [folder for folder in (*own, *_ROOTS) if (folder / "cgroup.procs").exists()]


def _remove(folder: Path) -> None:
    until_s = time.monotonic() + _GIVE_UP_S
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)
        else:
            return
