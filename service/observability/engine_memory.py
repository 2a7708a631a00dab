"""Memory of the engine processes, read from the kernel whenever the metrics are."""

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

ENGINE_NAME = "pellucid-engine"
"""Name under which `ps` and `top` show an engine process."""
_DIGEST_FLAG = "--sha256"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class EngineMemory(Collector):
    """`pellucid_engine_memory_bytes`: 0 without engine processes, or without Linux."""

    def __init__(self, process: Path = Path("/proc/self")) -> None:
        self._process = process

    def collect(self) -> Iterator[Metric]:
        """The gauge, as it is now."""
        yield GaugeMetricFamily(
            "pellucid_engine_memory_bytes",
            "Memory of all engine processes, without what they share with others.",
            value=sum(map(_private_bytes, self._engines())),
        )

    def _engines(self) -> Iterator[Path]:
        return engines_of(self._process)


def engine_bytes_by_bundle(process: Path = Path("/proc/self")) -> dict[str, int]:
    """Private memory of the engines of each bundle, by the digest that their arguments name."""
    found: dict[str, int] = {}
    for engine in engines_of(process):
        words = _read(engine / "cmdline").rstrip("\0").split("\0")
        if _DIGEST_FLAG in words[:-1]:
            sha256 = words[words.index(_DIGEST_FLAG) + 1]
            found[sha256] = found.get(sha256, 0) + _private_bytes(engine)
    return found


def engines_of(process: Path) -> Iterator[Path]:
    """The engine processes that a process has started."""
    for tasks in process.glob("task/*/children"):
        for child in _read(tasks).split():
            engine = process.parent / child
            if _read(engine / "comm").strip() == ENGINE_NAME:
                yield engine


def _private_bytes(process: Path) -> int:
    fields = _read(process / "statm").split()
    return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES if fields else 0


def _read(path: Path) -> str:
    """Contents of a file; nothing if its process or thread has ended."""
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
