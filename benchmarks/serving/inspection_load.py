"""Latency of translations alone, and while other clients request attention maps.

Rounds with and without inspection alternate, so that a slow moment of the machine affects both.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import time
from pathlib import Path

from benchmarks.harness.http_client import Connection
from benchmarks.harness.machine import commit, machine
from benchmarks.harness.report import publish
from benchmarks.harness.server_process import HOST, ServerProcess
from benchmarks.harness.workload import Call, Workload

_KINDS = ["encoder", "decoder", "cross"]


async def translate(port: int, workload: Workload, seed: int, until_s: float) -> list[float]:
    """Seconds of each sentence of one client, in a closed loop."""
    seconds: list[float] = []
    calls = workload.single(seed)
    async with Connection(HOST, port) as connection:
        while time.monotonic() < until_s:
            call = next(calls)
            started_s = time.perf_counter()
            status, _ = await connection.post(call.path, call.content)
            if status != call.expected_status:
                raise SystemExit(f"a translation was answered with {status}")
            seconds.append(time.perf_counter() - started_s)
    return seconds


async def inspect(port: int, workload: Workload, seed: int, until_s: float) -> int:
    """Request all maps of one text after another; returns the number of replies."""
    calls = (_with_maps(call) for call in workload.single(seed))
    given = 0
    async with Connection(HOST, port) as connection:
        while time.monotonic() < until_s:
            call = next(calls)
            status, _ = await connection.post(call.path, call.content)
            given += status == call.expected_status
    return given


def _with_maps(call: Call) -> Call:
    assert isinstance(call.content, dict), "the workload makes JSON objects"
    return Call(path="/attention", content={**call.content, "kinds": _KINDS})


async def run_round(
    port: int, workload: Workload, seed: int, arguments: argparse.Namespace, *, with_maps: bool
) -> tuple[list[float], int]:
    """Run all clients for a while; returns latencies and the number of map replies."""
    until_s = time.monotonic() + arguments.seconds
    translators = [
        asyncio.create_task(translate(port, workload, seed + i, until_s))
        for i in range(arguments.clients)
    ]
    inspectors = [
        asyncio.create_task(inspect(port, workload, 1000 + seed + i, until_s))
        for i in range(arguments.inspectors * with_maps)
    ]
    latencies = [s for client in await asyncio.gather(*translators) for s in client]
    return latencies, sum(await asyncio.gather(*inspectors))


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Alternate rounds against one server."""
    sentences = arguments.sentences.read_text(encoding="utf-8").splitlines()
    workload = Workload(sentences=sentences, source=arguments.source, target=arguments.target)
    found: dict[bool, list[list[float]]] = {False: [], True: []}
    num_maps = 0
    with ServerProcess(arguments.bundles) as server:
        for seed in range(arguments.rounds + 1):
            for with_maps in (False, True):
                latencies, given = asyncio.run(
                    run_round(server.port, workload, 100 * seed, arguments, with_maps=with_maps)
                )
                if seed:  # the first round warms up
                    found[with_maps].append(latencies)
                    num_maps += given
    rows = {"alone": found[False], "inspected": found[True]}
    return {
        "clients": arguments.clients,
        "inspectors": arguments.inspectors,
        "maps_per_s": round(num_maps / (arguments.rounds * arguments.seconds), 1),
        **{name: _figures(rounds) for name, rounds in rows.items()},
    }


def _figures(rounds: list[list[float]]) -> dict[str, float]:
    """Medians over the rounds, milliseconds."""
    cuts = [statistics.quantiles(latencies, n=100) for latencies in rounds]
    return {
        "p50_ms": round(statistics.median(cut[49] for cut in cuts) * 1e3, 2),
        "p99_ms": round(statistics.median(cut[98] for cut in cuts) * 1e3, 2),
        "requests": sum(map(len, rounds)),
    }


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    where = machine()
    figures = measure(arguments)
    result = {"machine": where, "commit": commit(), "bundles": arguments.bundles, **figures}
    publish(result, arguments.json)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.inspection_load", description=__doc__
    )
    parser.add_argument("--bundles", default="bundles/en-de", help="bundle folders")
    parser.add_argument("--source", default="en", help="language of the sentences")
    parser.add_argument("--target", default="de", help="language to translate to")
    parser.add_argument(
        "--sentences", type=Path, default=Path("tests/data/sentences.en.txt"), help="one a line"
    )
    parser.add_argument("--clients", type=int, default=4, help="that translate, one at a time each")
    parser.add_argument("--inspectors", type=int, default=4, help="that ask for maps, likewise")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=5, help="of either kind")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
