"""Memory of the front and of each engine process, by number of bundles.

The bundles are copies of one that claim other languages. Measured at rest, after each has
translated the sentences of the harness, and after each has translated them with alignments.
"""

import argparse
import asyncio
import json
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.server_process import ProcessMemory, ServerProcess
from benchmarks.harness.workload import Call
from benchmarks.serving.load import send
from bundle.manifest import MANIFEST_NAME

_SENTENCES = Path(__file__).parents[1] / "harness" / "sentences.txt"
_START_S = 300.0
_LONGEST_S = 1200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Memory at one moment, in MB of 10^6 bytes."""

    bundles: int
    moment: str
    front_resident_mb: float
    front_private_mb: float
    engines: int
    engine_resident_mb: float
    """Median of the engines."""
    engine_private_mb: float
    """Likewise."""
    largest_engine_private_mb: float
    all_mb: float
    """Front and engines, shared pages counted once."""

    @classmethod
    def of(cls, num_bundles: int, moment: str, memories: list[ProcessMemory]) -> "Row":
        """Summarise what was measured; the front comes first."""
        front, *engines = memories
        private = [engine.private_mb for engine in engines] or [0.0]
        return cls(
            bundles=num_bundles,
            moment=moment,
            front_resident_mb=front.resident_mb,
            front_private_mb=front.private_mb,
            engines=len(engines),
            engine_resident_mb=statistics.median([e.resident_mb for e in engines] or [0.0]),
            engine_private_mb=statistics.median(private),
            largest_engine_private_mb=max(private),
            all_mb=round(sum(memory.proportional_mb for memory in memories), 1),
        )


def copies(bundle: Path, count: int, folder: Path) -> Iterator[tuple[str, str]]:
    """Write copies of a bundle into `folder`; yields the language pair that each claims."""
    for number in range(count):
        copy = shutil.copytree(bundle, folder / f"copy-{number}")
        manifest = json.loads((copy / MANIFEST_NAME).read_bytes())
        source, target = "aa", f"{chr(98 + number // 26)}{chr(97 + number % 26)}"
        pair = {"source": source, "target": target}
        manifest |= {"name": f"copy-{number}", "pairs": [pair]}
        manifest["canary"]["pair"] = pair
        (copy / MANIFEST_NAME).write_text(json.dumps(manifest), encoding="utf-8")
        yield source, target


def measure(num_bundles: int, arguments: argparse.Namespace) -> list[Row]:
    """Measure one number of bundles."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = list(copies(arguments.bundle, num_bundles, Path(folder)))
        flags = ["--engines", str(arguments.engines), "--pivot", "false"]
        with ServerProcess(folder, flags=flags, timeout_s=_START_S) as server:
            rows = [Row.of(num_bundles, "at rest", server.memories())]
            for moment, calls_of in (("translating", _calls), ("aligning", _alignments)):
                calls = [call for pair in pairs for call in calls_of(*pair)]
                _send_all(calls, server, arguments.clients)
                rows.append(Row.of(num_bundles, f"after {moment}", server.memories()))
            return rows


def _send_all(calls: Sequence[Call], server: ServerProcess, clients: int) -> None:
    with tqdm(total=len(calls), unit="request", file=sys.stderr, disable=None) as bar:
        until_s = time.monotonic() + _LONGEST_S
        sending = send(server.port, iter(calls), clients=clients, bar=bar, until_s=until_s)
        outcome = asyncio.run(sending)
    if outcome.unexpected:
        raise SystemExit(f"not as expected: {outcome.unexpected[0]}")


def _calls(source: str, target: str) -> Iterator[Call]:
    for sentence in _sentences():
        content = {"q": sentence, "source": source, "target": target}
        yield Call(path="/translate", content=content)


def _alignments(source: str, target: str) -> Iterator[Call]:
    content = {"q": _sentences(), "source": source, "target": target, "alignment": True}
    yield Call(path="/translate", content=content)


def _sentences() -> list[str]:
    return list(filter(None, _SENTENCES.read_text(encoding="utf-8").splitlines()))


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    where = machine()
    rows = chain.from_iterable(measure(number, arguments) for number in arguments.bundles)
    report = {
        "command": shlex.join(["python", "-m", "benchmarks.serving.engine_memory", *sys.argv[1:]]),
        "commit": commit(),
        "machine": where,
        "versions": versions("onnxruntime", "numpy"),
        "rows": [asdict(row) for row in rows],
    }
    print(json.dumps(report, indent=2))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument("--bundles", type=int, nargs="+", default=[1, 4, 20], help="how many")
    parser.add_argument(
        "--engines", type=int, default=2, help="engine processes, shared out over them"
    )
    parser.add_argument("--clients", type=int, default=8)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
