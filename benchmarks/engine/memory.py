"""Memory of each engine beyond its imports, in a process of its own."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contestants.interface import (
    Contestant,
    EngineName,
    Request,
    Threads,
    as_json,
    from_json,
    open_engine,
)

BATCH = 32
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of one engine on one model, in 10**6 bytes."""

    engine: EngineName
    precision: str
    files_mb: float
    """Files of the model."""
    interpreter_mb: float
    """Python before anything is imported."""
    imported_mb: float
    """Python with the packages that the engine needs."""
    peak_mb: float
    """Peak while loading the model and translating batches of 32, greedily."""
    above_imports_to_files: float
    """(peak - imported) / files."""
    above_interpreter_to_files: float
    """(peak - interpreter) / files."""


def measure_memory(contestant: Contestant, requests: Sequence[Request]) -> Memory:
    """Load the contestant's model in a new process, and translate."""
    task = {"contestant": as_json(contestant), "requests": [asdict(r) for r in requests]}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.engine.memory"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{contestant.engine} failed in its own process: {done.stderr[-2000:]}")
    interpreter, imported, peak = json.loads(done.stdout.splitlines()[-1])
    files = _files_mb(contestant.folder)
    return Memory(
        engine=contestant.engine,
        precision=contestant.precision,
        files_mb=round(files, 1),
        interpreter_mb=round(interpreter, 1),
        imported_mb=round(imported, 1),
        peak_mb=round(peak, 1),
        above_imports_to_files=round((peak - imported) / files, 2),
        above_interpreter_to_files=round((peak - interpreter) / files, 2),
    )


def print_memory(measured: Sequence[Memory]) -> None:
    """Print a table."""
    print("\nresident memory, 10**6 bytes, one thread, batches of 32; the last columns: its growth")
    print("beyond the imports, and beyond the bare interpreter, over the size of the files")
    print("engine       precision  files  interpreter  imported   peak  x files  x files")
    for row in measured:
        print(
            f"{row.engine:12} {row.precision:9} {row.files_mb:6.1f} {row.interpreter_mb:12.1f} "
            f"{row.imported_mb:9.1f} {row.peak_mb:6.1f} {row.above_imports_to_files:8.2f} "
            f"{row.above_interpreter_to_files:8.2f}"
        )


def _files_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / _MEGABYTE


def _status_mb(field: str) -> float:
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    assert found, field
    return int(found[1]) * 1024 / _MEGABYTE


def _reset_peak() -> None:
    """Reset the kernel's peak of the resident size."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _run_task() -> None:
    """Entry point of the measured process."""
    interpreter = _status_mb("VmRSS")
    task = json.loads(sys.stdin.read())
    contestant = from_json(task["contestant"])
    __import__(f"benchmarks.contestants.{contestant.engine}")
    imported = _status_mb("VmRSS")
    _reset_peak()
    engine = open_engine(contestant, Threads(intra=1))
    requests = [Request(**{**r, "source_ids": tuple(r["source_ids"])}) for r in task["requests"]]
    engine.translate(requests, batch=BATCH, beam=1)
    print(json.dumps([interpreter, imported, _status_mb("VmHWM")]))


if __name__ == "__main__":
    _run_task()
