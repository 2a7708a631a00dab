"""Sentences per second of one core, by length.

One engine on one core, sixteen clients in a closed loop, texts of the same words in every length.
The clients run on another core if there is one.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import record
from benchmarks.harness.server_process import ServerProcess
from benchmarks.harness.workload import Call
from benchmarks.serving.load import send

_SENTENCES = Path(__file__).parents[1] / "harness" / "sentences.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Throughput and latency of one core for one length; medians of the rounds."""

    words: int
    requests_per_s: float
    words_per_s: float
    p50_ms: float
    p95_ms: float


def texts(sentences: Sequence[str], words: int, arguments: argparse.Namespace) -> Iterator[Call]:
    """Requests for sentences of `words` words."""
    chance = random.Random(words)
    stock = [word.strip(".,!?") for sentence in sentences for word in sentence.split()]
    while True:
        start = chance.randrange(len(stock))
        text = " ".join((stock[start:] + stock)[:words]) + "."
        content = {"q": text, "source": arguments.source, "target": arguments.target}
        yield Call(path="/translate", content=content)


def measure(port: int, words: int, arguments: argparse.Namespace) -> Row:
    """Measure one length."""
    sentences = [s for s in _SENTENCES.read_text(encoding="utf-8").split("\n") if s]
    calls = texts(sentences, words, arguments)
    rates, middles, tails = [], [], []
    for number in range(arguments.rounds + 1):
        with tqdm(desc=f"{words} words", unit="request", file=sys.stderr) as bar:
            until_s = time.monotonic() + arguments.seconds
            sending = send(port, calls, clients=arguments.clients, bar=bar, until_s=until_s)
            outcome = asyncio.run(sending)
        if number:  # the first one warms up
            cuts = statistics.quantiles(outcome.seconds, n=20, method="inclusive")
            rates.append(len(outcome.seconds) / outcome.elapsed_s)
            middles.append(1000 * cuts[9])
            tails.append(1000 * cuts[18])
    rate = statistics.median(rates)
    return Row(
        words=words,
        requests_per_s=round(rate, 1),
        words_per_s=round(rate * words),
        p50_ms=round(statistics.median(middles), 1),
        p95_ms=round(statistics.median(tails), 1),
    )


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    where = machine()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # the server inherits it
    with ServerProcess(arguments.bundles, flags=["--share-runs", "false"]) as server:
        os.sched_setaffinity(0, cores[1:] or cores)
        rows = [measure(server.port, words, arguments) for words in arguments.words]
    print("words  requests/s  words/s   p50 ms   p95 ms")
    for row in rows:
        print(
            f"{row.words:5d} {row.requests_per_s:11.1f} {row.words_per_s:8.0f} "
            f"{row.p50_ms:8.1f} {row.p95_ms:8.1f}"
        )
    if arguments.json:
        found = {"machine": where, "versions": versions("onnxruntime"), "commit": commit()}
        result = {**found, "bundles": arguments.bundles, "rows": [asdict(row) for row in rows]}
        record(result, arguments.json)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.sizing", description=__doc__
    )
    parser.add_argument("--bundles", default="bundles/en-de", help="as for `pellucid serve`")
    parser.add_argument("--source", default="en", help="language of the texts")
    parser.add_argument("--target", default="de", help="language to translate to")
    parser.add_argument("--words", type=int, nargs="+", default=[3, 8, 15, 30, 60])
    parser.add_argument("--clients", type=int, default=16, help="at the same time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a round")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
