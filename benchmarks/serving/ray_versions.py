"""Versions of the service on a Ray cluster under the same load, in one run.

Each version is a checkout, served by a cluster on this machine with the same bundle and the same
number of engines; the rounds of the versions alternate, each with a cluster of its own. Clients
send requests in a closed loop. `make .venv-ray/.ready` installs Ray; on a machine with
several addresses run it in a network of its own, as `make test-ray` does.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import record
from benchmarks.harness.workload import Workload
from benchmarks.serving.comparison import SENTENCES, Row, print_rows, row_of, run_round

_SERVER = """
import json, sys
import ray
from ray import serve
from service.cluster.ray_serve import RayOptions, build
given = json.loads(sys.argv[1])
ray.init(num_cpus=given["cpus"], include_dashboard=False, log_to_driver=False,
         logging_level="error", object_store_memory=100_000_000)
serve.start(http_options={"port": given["port"]})
serve.run(build(RayOptions(**given["options"])), route_prefix="/")
print("serving", flush=True)
sys.stdin.read()
serve.shutdown()
ray.shutdown()
"""


@contextlib.contextmanager
def serving(checkout: Path, arguments: argparse.Namespace) -> Iterator[None]:
    """A cluster that serves one version, until the context ends."""
    settings = {
        "bundles": str(arguments.bundle.resolve()),
        # Shared runs would translate the few different sentences once for all clients.
        "share_runs": False,
        "result_cache_bytes": 0,
    }
    engines = {"min_engines": arguments.engines, "max_engines": arguments.engines}
    given = {
        "cpus": arguments.engines + 2,
        "port": arguments.port,
        "options": {"settings": settings, **engines},
    }
    server = subprocess.Popen(
        [str(arguments.python.absolute()), "-W", "ignore", "-c", _SERVER, json.dumps(given)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "RAY_USAGE_STATS_ENABLED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        if not any("serving" in line for line in server.stdout):
            raise SystemExit(f"{checkout} cannot be served: exit code {server.wait()}")
        yield
    finally:
        server.communicate()


def measure(arguments: argparse.Namespace) -> list[Row]:
    """All versions in turns."""
    sentences = [s for s in SENTENCES.read_text(encoding="utf-8").split("\n") if s]
    workload = Workload(sentences=sentences, source=arguments.source, target=arguments.target)
    traffic, port = workload.mixed if arguments.mixed else workload.single, arguments.port
    found: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for number in range(arguments.rounds):
        checkouts = arguments.checkout if number % 2 == 0 else arguments.checkout[::-1]
        for checkout in checkouts:
            with serving(checkout.absolute(), arguments):
                run_round(port, traffic(seed=0), max(arguments.clients), arguments.warm_up)
                for clients in arguments.clients:
                    result = run_round(port, traffic(seed=clients), clients, arguments.seconds)
                    found.setdefault((checkout.name, clients), []).append(result)
                    print(checkout.name, clients, [round(x, 1) for x in result], file=sys.stderr)
            time.sleep(1)
    return [row_of(name, clients, rounds) for (name, clients), rounds in sorted(found.items())]


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    where = machine()
    rows = measure(arguments)
    print_rows(rows)
    if arguments.json:
        result = {
            "machine": where,
            "versions": versions("ray", "onnxruntime", "numpy"),
            "commit": commit(),
            "engines": arguments.engines,
            "traffic": "mixed" if arguments.mixed else "single sentences",
            "rounds": arguments.rounds,
            "seconds": arguments.seconds,
            "rows": [asdict(row) for row in rows],
        }
        record(result, arguments.json)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.ray_versions", description=__doc__
    )
    parser.add_argument("--checkout", type=Path, action="append", required=True, help="a version")
    parser.add_argument(
        "--python", type=Path, default=Path(".venv-ray/bin/python"), help="with Ray"
    )
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument("--source", default="en")
    parser.add_argument("--target", default="de")
    parser.add_argument("--engines", type=int, default=2, help="of each version")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--mixed", action="store_true", help="paragraphs, beams and attention too")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=3.0)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--json", type=Path, help="write the result")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
