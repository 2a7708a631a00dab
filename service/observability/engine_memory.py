"""Memory of the engine processes, read from the kernel whenever the metrics are."""

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

ENGINE_NAME = "pellucid-engine"
"""Name under which `ps` and `top` show an engine process."""
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
        for tasks in self._process.glob("task/*/children"):
            for child in _read(tasks).split():
                engine = self._process.parent / child
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
