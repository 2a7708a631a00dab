"""Two replicas behind haproxy, with the shipped configuration."""

import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.server_process import HOST, ServerProcess, free_port

HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_CONFIGURATION = Path(__file__).parents[2] / "docker" / "haproxy" / "haproxy.cfg"
_READY_S = 30.0
_POLL_S = 0.1


@contextmanager
def two_replicas(bundles: str, flags: Sequence[str]) -> Iterator[int]:
    """Port of haproxy, once it balances over both replicas.

    Args:
        bundles: Value of `pellucid serve --bundles`.
        flags: Further flags of each replica.
    """
    if HAPROXY is None:
        raise SystemExit("haproxy is not installed: apt-get install haproxy")
    with (
        ServerProcess(bundles, flags=flags) as first,
        ServerProcess(bundles, flags=flags) as second,
    ):
        port, statistics = free_port(), free_port()
        addresses = {
            "HAPROXY_BIND": f"{HOST}:{port}",
            "HAPROXY_STATISTICS_BIND": f"{HOST}:{statistics}",
            "REPLICA_1": f"{HOST}:{first.port}",
            "REPLICA_2": f"{HOST}:{second.port}",
        }
        with subprocess.Popen(
            [HAPROXY, "-db", "-f", str(_CONFIGURATION)],
            env=dict(os.environ) | addresses,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                _wait_for_both(statistics)
                yield port
            finally:
                process.terminate()


def _wait_for_both(statistics: int) -> None:
    until_s = time.monotonic() + _READY_S
    while _num_up(statistics) < 2:
        if time.monotonic() > until_s:
            raise SystemExit(f"haproxy did not find both replicas within {_READY_S:g} s")
        time.sleep(_POLL_S)


def _num_up(statistics: int) -> int:
    connection = http.client.HTTPConnection(HOST, statistics, timeout=_READY_S)
    try:
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
    except OSError:
        return 0
    finally:
        connection.close()
    return page.count('state="UP"} 1')
