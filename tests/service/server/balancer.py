"""haproxy before two servers, with the configuration that is delivered."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.service.waiting import eventually

CONFIGURATION = Path(__file__).parents[3] / "docker" / "haproxy" / "haproxy.cfg"
HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_LONGEST_S = 30


def version() -> tuple[int, ...]:
    """Of haproxy: major and minor."""
    assert HAPROXY is not None, "tests without it are skipped"
    said = subprocess.run([HAPROXY, "-v"], capture_output=True, encoding="utf-8", check=True)
    found = re.search(r"version (\d+)\.(\d+)", said.stdout)
    assert found is not None, said.stdout
    return tuple(map(int, found.groups()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A haproxy that runs."""

    url: str
    statistics_url: str
    log: Path

    def is_up(self, replica: str) -> bool:
        """Whether it runs, and sends requests to `replica`."""
        try:
            page = httpx.get(f"{self.statistics_url}/metrics", timeout=_LONGEST_S).text
        except httpx.ConnectError:
            return False
        return f'server="{replica}",state="UP"}} 1' in page


def free_port() -> int:
    """A port that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def balancing(folder: Path, ports: Sequence[int]) -> Iterator[Balancer]:
    """A haproxy before the servers on `ports` of this machine; `folder` is for its log."""
    assert HAPROXY is not None, "tests without it are skipped"
    own, statistics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    replicas = {f"REPLICA_{n}": f"127.0.0.1:{port}" for n, port in enumerate(ports, start=1)}
    binds = {"HAPROXY_BIND": own, "HAPROXY_STATISTICS_BIND": statistics}
    log = folder / "haproxy.log"
    with (
        log.open("w", encoding="utf-8") as written,
        subprocess.Popen(
            [HAPROXY, "-db", "-f", str(CONFIGURATION)],
            env=dict(os.environ) | replicas | binds,
            stdout=written,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        balancer = Balancer(url=f"http://{own}", statistics_url=f"http://{statistics}", log=log)
        try:
            eventually(lambda: all(balancer.is_up(f"replica-{n}") for n in (1, 2)))
            yield balancer
        finally:
            process.kill()
