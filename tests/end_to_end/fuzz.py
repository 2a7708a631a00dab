"""Requests made up from /openapi.json, at a real server: whatever comes, the contract holds.

python -m tests.end_to_end.fuzz --cases 20000
"""

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.service.server_process import REPOSITORY, ServerProcess, environment, serving

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
FLAGS = (
    *("--workers", "1", "--max-file-jobs", "100000", "--file-lifetime-s", "5"),
    *("--max-text-chars", "400", "--max-texts", "16"),  # long texts find nothing more
)
_PHASES = "examples,coverage,fuzzing"
"""Not `stateful`: where a file is translated at once there is no job to ask about, and with that
the tool itself gives up. What leads from a file to its job is tested in tests/service/api."""
MOST_LAG_S = 0.25
MOST_LATE = 0.01
"""Share of the timers of the event loop that may be later than that."""
_CASES = re.compile(r"([\d,]+) generated")


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzRun:
    """What came of a run."""

    has_passed: bool
    num_cases: int
    report: str


def share_of_late_timers(server: ServerProcess) -> float:
    """How often the loop of `server` was busy for longer than `MOST_LAG_S`, since it started."""
    name = "pellucid_loop_lag_seconds"
    num_timers = server.metric(f"{name}_count ")
    return 1 - server.metric(f'{name}_bucket{{le="{MOST_LAG_S}"}} ') / num_timers


def fuzz(server: ServerProcess, folder: Path, *, examples: int, seed: int) -> FuzzRun:
    """Ask `server` whatever its contract allows, and much that it does not.

    Args:
        server: Is asked.
        folder: Where the tool may leave files.
        examples: Random requests for each operation, on top of those that are worked out.
        seed: Of what is random.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(CONFIGURATION), "run", f"{server.url}/openapi.json"),
            *("--phases", _PHASES),
            *("--max-examples", str(examples), "--seed", str(seed)),
            *("--continue-on-failure", "--no-shrink", "--suppress-health-check", "all"),
        ],
        cwd=folder,
        env=environment(PYTHONPATH=str(REPOSITORY)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    found = _CASES.search(done.stdout)
    return FuzzRun(
        has_passed=done.returncode == 0,
        num_cases=int(found[1].replace(",", "")) if found else 0,
        report=done.stdout,
    )


def main() -> int:
    """Fuzz until enough was asked, with another seed each time."""
    parser = argparse.ArgumentParser(prog="python -m tests.end_to_end.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="how many at least [20000]")
    parser.add_argument("--seed", type=int, default=0, help="the first one [0]")
    arguments = parser.parse_args()
    num_cases = 0
    seed = arguments.seed
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), *FLAGS) as server:
        while num_cases < arguments.cases:
            run = fuzz(server, Path(folder), examples=200, seed=seed)
            num_cases += run.num_cases
            seed += 1
            print(f"{num_cases} requests", flush=True)
            if not run.has_passed or run.num_cases == 0:
                print(run.report)
                return 1
            if (late := share_of_late_timers(server)) > MOST_LATE:
                print(f"{late:.2%} of the timers of the event loop were over {MOST_LAG_S} s late")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
