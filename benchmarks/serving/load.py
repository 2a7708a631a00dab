"""Start time, memory and latency of a real server process on this machine."""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Never

from tqdm import tqdm

from benchmarks.harness.http_client import Connection
from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import record
from benchmarks.harness.server_process import HOST, ServerProcess
from benchmarks.harness.workload import Call, Workload

_SENTENCES = Path(__file__).parents[1] / "harness" / "sentences.txt"
_MEMORY_CLIENTS = 8
_PACKAGES = ("onnxruntime", "numpy", "fastapi", "uvicorn", "sentencepiece")
_EXAMPLES = """\
examples:
  python -m benchmarks.serving.load
  python -m benchmarks.serving.load --bundles bundles/en-de --clients 1 8 32 --json load.json
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Results of a number of calls."""

    seconds: list[float]
    """Seconds of each call with the expected reply."""
    unexpected: list[str]
    """The other calls, each described briefly."""
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds that clients waited for one sentence, closed loop."""

    clients: int
    requests: int
    p50_ms: float
    p95_ms: float
    requests_per_s: float
    unexpected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory under mixed requests, MB."""

    requests: int
    at_start: float
    samples: list[float]
    """After each tenth of the requests."""
    peak: float
    unexpected: int

    @property
    def growth(self) -> float:
        """From half of the requests to all of them."""
        return self.samples[-1] - self.samples[len(self.samples) // 2 - 1]


async def send(
    port: int, calls: Iterator[Call], *, clients: int, bar: "tqdm[Never]", until_s: float
) -> Outcome:
    """Let `clients` share `calls`, each with one connection and one request at a time."""
    outcome = Outcome(seconds=[], unexpected=[], elapsed_s=0.0)

    async def client() -> None:
        async with Connection(HOST, port) as connection:
            for call in calls:
                started_s = time.perf_counter()
                status, body = await connection.post(call.path, call.content)
                if status == call.expected_status:
                    outcome.seconds.append(time.perf_counter() - started_s)
                else:
                    outcome.unexpected.append(f"{call.path} {status} {body[:120]!r}")
                bar.update()
                if time.monotonic() >= until_s:
                    return

    started_s = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed_s = time.perf_counter() - started_s
    return Outcome(seconds=outcome.seconds, unexpected=outcome.unexpected, elapsed_s=elapsed_s)


def measure_memory(server: ServerProcess, workload: Workload, requests: int) -> Memory:
    """Send `requests` mixed requests, and sample the memory ten times."""
    calls = islice(workload.mixed(seed=1), requests)
    at_start = server.memory_mb()
    samples: list[float] = []
    unexpected: list[str] = []
    with _bar(requests, "mixed") as bar:
        for _ in range(10):
            part = islice(calls, requests // 10)
            until_s = time.monotonic() + 600
            sending = send(server.port, part, clients=_MEMORY_CLIENTS, bar=bar, until_s=until_s)
            unexpected += asyncio.run(sending).unexpected
            samples.append(round(server.memory_mb(), 1))
    _report(unexpected)
    return Memory(
        requests=requests,
        at_start=round(at_start, 1),
        samples=samples,
        peak=round(server.peak_memory_mb(), 1),
        unexpected=len(unexpected),
    )


def measure_latency(
    server: ServerProcess, workload: Workload, *, clients: int, requests: int, max_s: float
) -> Latency:
    """Send single sentences from `clients` at once."""
    calls = islice(workload.single(seed=clients), requests)
    with _bar(requests, f"{clients} clients") as bar:
        until_s = time.monotonic() + max_s
        outcome = asyncio.run(send(server.port, calls, clients=clients, bar=bar, until_s=until_s))
    _report(outcome.unexpected)
    if len(outcome.seconds) < 2:
        raise SystemExit(f"benchmarks.serving.load: {clients} clients got no answers")
    cuts = statistics.quantiles(outcome.seconds, n=20, method="inclusive")
    return Latency(
        clients=clients,
        requests=len(outcome.seconds),
        p50_ms=round(1000 * statistics.median(outcome.seconds), 2),
        p95_ms=round(1000 * cuts[18], 2),
        requests_per_s=round(len(outcome.seconds) / outcome.elapsed_s, 1),
        unexpected=len(outcome.unexpected),
    )


def _bar(requests: int, name: str) -> "tqdm[Never]":
    return tqdm(total=requests, desc=name, unit="request", file=sys.stderr)


def _report(unexpected: Sequence[str]) -> None:
    for line in unexpected[:3]:
        print(f"unexpected reply: {line}", file=sys.stderr)


def main() -> int:
    """Measure and print; returns the exit code, 1 if a reply was not as expected."""
    arguments = _parse()
    sentences = arguments.sentences.read_text(encoding="utf-8").split("\n")
    workload = Workload(
        sentences=[line for line in sentences if line],
        source=arguments.source,
        target=arguments.target,
    )
    where = machine()
    requests, max_s = arguments.requests, arguments.max_seconds
    with ServerProcess(arguments.bundles) as server:
        latencies = [
            measure_latency(server, workload, clients=clients, requests=requests, max_s=max_s)
            for clients in arguments.clients
        ]
        memory = measure_memory(server, workload, arguments.mixed)
        _print(server.ready_s, latencies, memory, where)
    if arguments.json:
        measured = _content(server.ready_s, latencies, memory)
        record({"machine": where, "bundles": arguments.bundles, **measured}, arguments.json)
    return 1 if memory.unexpected or any(latency.unexpected for latency in latencies) else 0


def _content(ready_s: float, latencies: Sequence[Latency], memory: Memory) -> dict[str, object]:
    """The result as JSON, without machine and bundles."""
    return {
        "versions": versions(*_PACKAGES),
        "commit": commit(),
        "start_to_ready_s": round(ready_s, 2),
        "memory_mb": {**asdict(memory), "growth": round(memory.growth, 1)},
        "latency": [asdict(latency) for latency in latencies],
    }


def _print(
    ready_s: float, latencies: Sequence[Latency], memory: Memory, where: dict[str, object]
) -> None:
    print(f"{where['processor']}, {where['cpus']} CPUs, load {where['load_average_before']} before")
    print(f"start to ready    {ready_s:8.2f} s")
    print(f"memory when ready {memory.at_start:8.1f} MB")
    print(f"  after {memory.requests:5d} mixed requests {memory.samples[-1]:.1f} MB")
    print(f"  growth in the second half    {memory.growth:+.1f} MB, peak {memory.peak:.1f} MB")
    print("clients  requests   p50 ms   p95 ms  requests/s")
    for row in latencies:
        print(
            f"{row.clients:7d} {row.requests:9d} {row.p50_ms:8.1f} {row.p95_ms:8.1f} "
            f"{row.requests_per_s:11.1f}"
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.load",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundles", default="bundles", help="as for `pellucid serve`")
    parser.add_argument("--source", default="en", help="language of the sentences")
    parser.add_argument("--target", default="de", help="language to translate to")
    parser.add_argument(
        "--sentences", type=Path, default=_SENTENCES, help="a file with one sentence a line"
    )
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], help="at once")
    parser.add_argument("--requests", type=int, default=400, help="per number of clients")
    parser.add_argument("--mixed", type=int, default=1000, help="mixed requests for the memory")
    parser.add_argument(
        "--max-seconds", type=float, default=60.0, help="end each number of clients after this"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
