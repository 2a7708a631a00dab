"""A real server process on a free port of loopback, observed from outside."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_POLL_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """Memory of one process, in MB of 10^6 bytes."""

    name: str
    resident_mb: float
    private_mb: float
    """Without what other processes use as well: code, and the weights of bundles."""
    proportional_mb: float
    """A page that n processes use counts as the nth part of a page."""

    @classmethod
    def of(cls, pid: int) -> Self:
        """Ask the kernel now."""
        process = Path(f"/proc/{pid}")
        lines = (process / "smaps_rollup").read_text("ascii").splitlines()[1:]
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
        return cls(
            name=(process / "comm").read_text("utf-8").strip(),
            resident_mb=_megabytes(kilobytes["Rss"]),
            private_mb=_megabytes(private),
            proportional_mb=_megabytes(kilobytes["Pss"]),
        )


def _status(pid: int, field: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)
    assert found, f"the kernel reports {field} of every process"
    return int(found[1])


def _megabytes(kilobytes: int) -> float:
    return round(kilobytes * 1024 / 1e6, 1)


class ServerProcess:
    """A server process that runs for the time of its `with` block."""

    def __init__(self, bundles: str, *, flags: Sequence[str] = (), timeout_s: float = 60.0) -> None:
        """Choose a port.

        Args:
            bundles: Value of `pellucid serve --bundles`.
            flags: Further flags.
            timeout_s: Time limit of the start, and of the end.
        """
        self.port = free_port()
        self.ready_s = 0.0
        """Seconds from start to ready."""
        self._flags = ["--bundles", bundles, *flags]
        self._timeout_s = timeout_s
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process

    def __enter__(self) -> Self:
        # Loads repeat their sentences: shared runs would hide the cost of translation.
        every_one = ["--share-runs", "false"]
        flags = ["--host", HOST, "--port", str(self.port), *every_one, *self._flags]
        started_s = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "service", *flags], stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            while not self._is_ready():
                self._check(time.monotonic() - started_s)
                time.sleep(_POLL_S)
        except BaseException:
            self._process.kill()
            raise
        self.ready_s = time.monotonic() - started_s
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()

    def kill(self) -> None:
        """End it as `kill -9` does, and wait for that."""
        self._process.kill()
        self._process.wait(self._timeout_s)

    def memory_mb(self) -> float:
        """Resident memory now of server and engines, shared pages once, in MB of 10^6 bytes."""
        return round(sum(memory.proportional_mb for memory in self.memories()), 1)

    def peak_memory_mb(self) -> float:
        """Most resident memory so far, in MB of 10^6 bytes; shared pages count for each process."""
        return sum(_status(pid, "VmHWM") for pid in self._pids()) * 1024 / 1e6

    def memories(self) -> list[ProcessMemory]:
        """The server's memory, then that of each engine process."""
        return [ProcessMemory.of(pid) for pid in self._pids()]

    def num_threads(self) -> int:
        """Threads now."""
        return _status(self._process.pid, "Threads")

    def num_descriptors(self) -> int:
        """Open files and connections now."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def _pids(self) -> list[int]:
        """The server, then its engines."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        children = [child for task in tasks for child in task.read_text("ascii").split()]
        return [self._process.pid, *map(int, children)]

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _check(self, waited_s: float) -> None:
        if self._process.poll() is None and waited_s < self._timeout_s:
            return
        self._log.seek(0)
        last_words = self._log.read().decode(errors="replace").strip()[-500:]
        raise SystemExit(f"the server did not become ready: {last_words}")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
