"""Debian's Prometheus as a process, with the configuration and the rules of the compose file."""

import json
import math
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.docker.reply import ask, wait_until

FOLDER = Path(__file__).parents[2] / "docker" / "prometheus"
_REPLICAS = "[pellucid-1:8000, pellucid-2:8000]"
_FASTER = {
    "scrape_interval: 15s": "scrape_interval: 200ms",
    "scrape_timeout: 10s": "scrape_timeout: 200ms",
    "evaluation_interval: 15s": "evaluation_interval: 200ms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """A Prometheus that answers."""

    url: str

    def read(self, path: str) -> dict[str, Any]:
        """What it answers to a path of its API."""
        reply = ask(f"{self.url}/api/v1/{path}")
        assert reply.status == 200, reply.text
        data: dict[str, Any] = json.loads(reply.text)["data"]
        return data

    def query(self, expression: str) -> list[float]:
        """Present values of an expression, one for each series; without those that are none."""
        found = self.read(f"query?query={quote(expression)}")["result"]
        values = (float(series["value"][1]) for series in found)
        return [value for value in values if not math.isnan(value)]

    def without_value(self, expressions: Iterable[str], timeout_s: float = 20) -> list[str]:
        """Expressions without a value until now; one late scrape leaves all of them without."""
        missing, until_s = list(expressions), time.monotonic() + timeout_s
        while missing and time.monotonic() < until_s:
            missing = [expression for expression in missing if not self.query(expression)]
        return missing

    def wait_for(self, expression: str) -> None:
        """Wait until an expression has a value."""
        wait_until(lambda: bool(self.query(expression)), expression, timeout_s=20)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `promtool` in the folder of the rules."""
    return subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )


@contextmanager
def watching(folder: Path, replica: str) -> Iterator[Prometheus]:
    """A Prometheus that watches one replica.

    Args:
        folder: For its configuration and its data.
        replica: Host and port.
    """
    config = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    port = _free_port()
    replaced = {_REPLICAS: f"['{replica}']", "localhost:9090": f"127.0.0.1:{port}", **_FASTER}
    for written, ours in replaced.items():
        assert written in config
        config = config.replace(written, ours)
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    shutil.copy(FOLDER / "alerts.yml", folder)
    command = [
        *("prometheus", f"--config.file={folder}/prometheus.yml"),
        *(f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"),
    ]
    with (
        (folder / "prometheus.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: ask(f"{url}/-/ready").status == 200, "Prometheus is ready")
            yield Prometheus(url=url)
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
