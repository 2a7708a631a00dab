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
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_POLL_S = 0.01


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

    def memory_mb(self) -> float:
        """Resident memory now, in MB of 10^6 bytes."""
        return self._status("VmRSS") * 1024 / 1e6

    def peak_memory_mb(self) -> float:
        """Most resident memory so far, in MB of 10^6 bytes."""
        return self._status("VmHWM") * 1024 / 1e6

    def num_threads(self) -> int:
        """Threads now."""
        return self._status("Threads")

    def num_descriptors(self) -> int:
        """Open files and connections now."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def _status(self, field: str) -> int:
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)
        assert found, f"the kernel reports {field} of every process"
        return int(found[1])

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
