"""Pellucid and LibreTranslate with the same weights under the same load, in one run.

Several clients send single sentences in a closed loop; the rounds of the services alternate.
LibreTranslate runs with several numbers of threads, of which the best counts; Pellucid runs as one
process, and as two with one worker each behind haproxy.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from benchmarks.contestants.libretranslate import serving_libretranslate, version_in
from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.replicas import two_replicas
from benchmarks.harness.report import record
from benchmarks.harness.server_process import ServerProcess
from benchmarks.harness.workload import Call, Workload
from benchmarks.serving.load import send
from bundle.reader import read_bundle

SENTENCES = Path(__file__).parents[1] / "harness" / "sentences.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Medians over the rounds, of one service at one number of clients."""

    service: str
    clients: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    spread: float
    """Best minus worst round, as a share of the median throughput."""


def run_round(port: int, calls: Iterator[Call], clients: int, seconds: float) -> tuple[float, ...]:
    """Requests per second, median and 95th percentile in milliseconds."""
    with tqdm(desc=f"{clients} clients", unit="request", file=sys.stderr) as bar:
        until_s = time.monotonic() + seconds
        outcome = asyncio.run(send(port, calls, clients=clients, bar=bar, until_s=until_s))
    if outcome.unexpected:
        raise SystemExit(f"an unexpected answer: {outcome.unexpected[0]}")
    cuts = statistics.quantiles(outcome.seconds, n=20, method="inclusive")
    return len(outcome.seconds) / outcome.elapsed_s, 1000 * cuts[9], 1000 * cuts[18]


def measure(arguments: argparse.Namespace, ports: dict[str, int]) -> list[Row]:
    """All services in turns."""
    sentences = [s for s in SENTENCES.read_text(encoding="utf-8").split("\n") if s]
    workload = Workload(sentences=sentences, source=arguments.source, target=arguments.target)
    rows = []
    for clients in arguments.clients:
        rounds: dict[str, list[tuple[float, ...]]] = {name: [] for name in ports}
        for number in range(arguments.rounds + 1):
            for name, port in ports.items():
                calls = workload.single(seed=clients)
                found = run_round(port, calls, clients, arguments.seconds)
                if number:  # the first one warms up
                    rounds[name].append(found)
        rows += [row_of(name, clients, found) for name, found in rounds.items()]
    return rows


def row_of(service: str, clients: int, rounds: Sequence[tuple[float, ...]]) -> Row:
    """The medians of all rounds of a service."""
    rates, middles, tails = zip(*rounds, strict=True)
    return Row(
        service=service,
        clients=clients,
        requests_per_s=round(statistics.median(rates), 1),
        p50_ms=round(statistics.median(middles), 1),
        p95_ms=round(statistics.median(tails), 1),
        spread=round((max(rates) - min(rates)) / statistics.median(rates), 2),
    )


@contextlib.contextmanager
def running(arguments: argparse.Namespace) -> Iterator[dict[str, int]]:
    """Every service, by name, with its port."""
    bundle = read_bundle(arguments.bundle)
    with contextlib.ExitStack() as stack:
        # Shared runs would translate the few different sentences once for all clients.
        flags = ["--share-runs", "false"]
        ours = stack.enter_context(ServerProcess(str(arguments.bundle), flags=flags))
        both = stack.enter_context(
            two_replicas(str(arguments.bundle), flags=[*flags, "--workers", "1"])
        )
        ports = {"Pellucid": ours.port, "Pellucid, 2 replicas": both}
        for threads in arguments.threads:
            url = stack.enter_context(
                serving_libretranslate(arguments.libretranslate, bundle, threads=threads)
            )
            ports[f"LibreTranslate, {threads} threads"] = int(url.rpartition(":")[2])
        yield ports


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    where = machine()
    with running(arguments) as ports:
        rows = measure(arguments, ports)
    print_rows(rows)
    if arguments.json:
        result = {
            "machine": where,
            "versions": versions("onnxruntime", "numpy", "fastapi", "uvicorn"),
            "libretranslate": version_in(arguments.libretranslate),
            "commit": commit(),
            "bundle": str(arguments.bundle),
            "rounds": arguments.rounds,
            "seconds": arguments.seconds,
            "rows": [asdict(row) for row in rows],
        }
        record(result, arguments.json)
    return 0


def print_rows(rows: Sequence[Row]) -> None:
    """A table, a line for each."""
    print(f"{'service':28} clients  requests/s   p50 ms   p95 ms  spread")
    for row in rows:
        print(
            f"{row.service:28} {row.clients:7d} {row.requests_per_s:11.1f} {row.p50_ms:8.1f} "
            f"{row.p95_ms:8.1f} {row.spread:7.2f}"
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.comparison", description=__doc__
    )
    parser.add_argument(
        "--libretranslate",
        type=Path,
        required=True,
        metavar="PYTHON",
        help="of an environment with libretranslate and sentencex",
    )
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument("--source", default="en", help="language of the sentences")
    parser.add_argument("--target", default="de", help="language to translate to")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16], help="at once")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[2, 4, 16], help="of LibreTranslate's server"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a round")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
