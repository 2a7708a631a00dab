"""Behaviour at four times the capacity of the service, and beside a greedy client.

Capacity is the throughput of a closed loop. Then requests are sent on a schedule, at half of the
capacity and at four times the capacity, and timed from the moment they were due. Then one client
sends single sentences while another has a batch of thousands translated, and finally both do so
from one address, without keys.
"""

import argparse
import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from benchmarks.harness.http_client import Connection
from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.open_loop import Arrivals, Plan, percentile_ms, send_on_schedule
from benchmarks.harness.report import publish
from benchmarks.harness.server_process import HOST, ServerProcess
from benchmarks.harness.workload import Workload
from benchmarks.serving.load import send

_SENTENCES = Path(__file__).parents[1] / "harness" / "sentences.txt"
_BATCH_CLIENT, _INTERACTIVE_CLIENT = "batch-client-key", "interactive-client-key"
_TEXTS_A_REQUEST = 500
_CONNECTIONS, _TEXTS_A_CONNECTION = 8, 40
"""Of the batch that comes from the address of the single sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds of calls with one sentence each."""

    seconds: list[float] = field(default_factory=list)
    stages: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By stage in the server."""

    def add(self, seconds: float, stages: Mapping[str, float]) -> None:
        """Count a call."""
        self.seconds.append(seconds)
        for name, stage_s in stages.items():
            self.stages[name].append(stage_s)


def capacity(server: ServerProcess, workload: Workload, *, clients: int, seconds: float) -> float:
    """Single sentences per second of `clients` in a closed loop."""
    calls = workload.single(seed=clients)
    with tqdm(desc="capacity", unit="request", file=sys.stderr) as bar:
        until_s = time.monotonic() + seconds
        sending = send(server.port, calls, clients=clients, bar=bar, until_s=until_s)
        outcome = asyncio.run(sending)
    return len(outcome.seconds) / outcome.elapsed_s


def measure_overload(
    server: ServerProcess, workload: Workload, arguments: argparse.Namespace
) -> dict[str, object]:
    """Measure the capacity, then half of it and four times of it."""
    peak = max(capacity(server, workload, clients=n, seconds=5.0) for n in (32, 64, 64))
    before_mb = server.memory_mb()
    calm, calm_cpus = _on_schedule(server, workload, peak / 2, arguments.seconds)
    flood, flood_cpus = _on_schedule(server, workload, 4 * peak, arguments.seconds)
    goodput = len(flood.accepted) / arguments.seconds
    return {
        "peak_per_s": round(peak, 1),
        "half": {**_figures(calm), "sender_cpus": calm_cpus},
        "fourfold": {**_figures(flood), "sender_cpus": flood_cpus},
        "goodput_to_peak": round(goodput / peak, 3),
        "memory_mb": {"before": round(before_mb, 1), "after": round(server.memory_mb(), 1)},
    }


def _on_schedule(
    server: ServerProcess, workload: Workload, rate: float, seconds: float
) -> tuple[Arrivals, float]:
    """Figures of a schedule, with the CPUs that the sender took from the server."""
    print(f"{rate:.0f} requests a second for {seconds:g} s", file=sys.stderr)
    plan = Plan(rate=rate, seconds=seconds)
    before_s = time.process_time()
    arrivals = asyncio.run(send_on_schedule(server.port, workload.single(seed=3), plan, seed=4))
    return arrivals, round((time.process_time() - before_s) / seconds, 2)


def _figures(arrivals: Arrivals) -> dict[str, object]:
    return {
        "by_status": {status: len(found) for status, found in sorted(arrivals.seconds.items())},
        "dropped_by_the_sender": arrivals.num_dropped,
        "without_an_answer": arrivals.num_broken,
        "accepted_p50_ms": percentile_ms(arrivals.accepted, 50),
        "accepted_p99_ms": percentile_ms(arrivals.accepted, 99),
        "rejected_p50_ms": percentile_ms(arrivals.rejected, 50),
    }


def measure_fairness(
    server: ServerProcess, workload: Workload, arguments: argparse.Namespace
) -> dict[str, object]:
    """One sentence at a time, alone and beside a batch, each client with a key of its own."""
    key = _INTERACTIVE_CLIENT
    alone = asyncio.run(_interactive(server.port, workload, arguments.seconds, key=key))
    beside, num_batch = asyncio.run(_beside_a_batch(server.port, workload, arguments))
    return {"batch_sentences": num_batch, **_waits(alone, beside)}


def measure_one_address(
    server: ServerProcess, workload: Workload, arguments: argparse.Namespace
) -> dict[str, object]:
    """One sentence at a time, alone and beside a batch from the same address, without keys."""
    alone = asyncio.run(_interactive(server.port, workload, arguments.seconds))
    beside, rate = asyncio.run(_beside_connections(server.port, workload, arguments.seconds))
    return {"batch_sentences_per_s": round(rate, 1), **_waits(alone, beside)}


def _waits(alone: Waits, beside: Waits) -> dict[str, object]:
    stages = {
        name: [percentile_ms(seconds, percent) for percent in (50, 95)]
        for name, seconds in beside.stages.items()
    }
    return {
        "alone_p50_ms": percentile_ms(alone.seconds, 50),
        "alone_p95_ms": percentile_ms(alone.seconds, 95),
        "beside_p50_ms": percentile_ms(beside.seconds, 50),
        "beside_p95_ms": percentile_ms(beside.seconds, 95),
        "beside_stages_p50_p95_ms": stages,
        "requests": [len(alone.seconds), len(beside.seconds)],
    }


async def _interactive(
    port: int, workload: Workload, seconds: float, *, key: str | None = None
) -> Waits:
    found = Waits()
    until_s = time.monotonic() + seconds
    async with Connection(HOST, port) as connection:
        for call in workload.single(seed=9):
            started_s = time.perf_counter()
            content = _with_key(call.content, key) if key else call.content
            status, body = await connection.post(call.path, content)
            if status != call.expected_status:
                raise SystemExit(f"the interactive client was answered {status}: {body[:200]!r}")
            found.add(time.perf_counter() - started_s, connection.stages)
            if time.monotonic() > until_s:
                return found
    raise AssertionError("the workload has no end")


async def _beside_a_batch(
    port: int, workload: Workload, arguments: argparse.Namespace
) -> tuple[Waits, int]:
    batch = [asyncio.create_task(_batch(port, workload, i, arguments)) for i in range(2)]
    await asyncio.sleep(0.5)
    found = await _interactive(port, workload, arguments.seconds, key=_INTERACTIVE_CLIENT)
    num_done = sum(await asyncio.gather(*batch))
    return found, num_done


async def _batch(port: int, workload: Workload, seed: int, arguments: argparse.Namespace) -> int:
    """Half of the sentences, some hundreds per request."""
    num_done = 0
    sentences = workload.sentences
    texts = [sentences[(seed + 7 * i) % len(sentences)] for i in range(arguments.batch // 2)]
    async with Connection(HOST, port) as connection:
        for start in range(0, len(texts), _TEXTS_A_REQUEST):
            part = texts[start : start + _TEXTS_A_REQUEST]
            content = {"q": part, "source": workload.source, "target": workload.target}
            status, body = await connection.post("/translate", _with_key(content, _BATCH_CLIENT))
            if status != 200:
                raise SystemExit(f"the batch client was answered {status}: {body[:200]!r}")
            num_done += len(part)
    return num_done


async def _beside_connections(port: int, workload: Workload, seconds: float) -> tuple[Waits, float]:
    """Single sentences, and sentences per second of the batch beside them."""
    is_over = asyncio.Event()
    batch = [
        asyncio.create_task(_connection(port, workload, number, is_over))
        for number in range(_CONNECTIONS)
    ]
    started_s = time.perf_counter()
    await asyncio.sleep(0.5)
    found = await _interactive(port, workload, seconds)
    is_over.set()
    num_done = sum(await asyncio.gather(*batch))
    return found, num_done / (time.perf_counter() - started_s)


async def _connection(port: int, workload: Workload, seed: int, is_over: asyncio.Event) -> int:
    """One request after another, until it `is_over`; sentences that were translated."""
    num_done = 0
    sentences = workload.sentences
    async with Connection(HOST, port) as connection:
        while not is_over.is_set():
            first = seed * _TEXTS_A_CONNECTION + num_done
            texts = [sentences[(first + i) % len(sentences)] for i in range(_TEXTS_A_CONNECTION)]
            content = {"q": texts, "source": workload.source, "target": workload.target}
            status, body = await connection.post("/translate", content)
            if status != 200:
                raise SystemExit(f"a batch request was answered {status}: {body[:200]!r}")
            num_done += len(texts)
    return num_done


def _with_key(content: object, key: str) -> dict[str, object]:
    assert isinstance(content, dict), "the workload makes JSON objects"
    return {**content, "api_key": key}


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    workload = Workload(
        sentences=_lines(arguments.sentences), source=arguments.source, target=arguments.target
    )
    result: dict[str, object] = {
        "machine": machine(),
        "versions": versions("onnxruntime", "numpy", "uvicorn"),
        "commit": commit(),
        "bundles": arguments.bundles,
    }
    # Shared runs would translate the few dozen different sentences once for all clients.
    flags = ["--share-runs", "false"]
    with ServerProcess(arguments.bundles, flags=flags) as server:
        result["overload"] = measure_overload(server, workload, arguments)
        result["one_address"] = measure_one_address(server, workload, arguments)
    keys = [
        *flags,
        "--api-keys",
        f"{_BATCH_CLIENT},{_INTERACTIVE_CLIENT}",
        "--deadline-ms",
        "600000",
    ]
    with ServerProcess(arguments.bundles, flags=[*keys, "--max-text-chars", "1000000"]) as server:
        result["fairness"] = measure_fairness(server, workload, arguments)
    publish(result, arguments.json)
    return 0


def _lines(path: Path) -> Sequence[str]:
    return list(islice((s for s in path.read_text(encoding="utf-8").split("\n") if s), 10_000))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.overload", description=__doc__
    )
    parser.add_argument("--bundles", default="bundles/en-de", help="as for `pellucid serve`")
    parser.add_argument("--source", default="en", help="language of the sentences")
    parser.add_argument("--target", default="de", help="language to translate to")
    parser.add_argument("--sentences", type=Path, default=_SENTENCES, help="one a line")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each schedule")
    parser.add_argument("--batch", type=int, default=10_000, help="sentences of the greedy client")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
