"""Changes the code in small ways and lists the changes that no test notices.

`make mutants` runs mutmut on a copy of the tree in a temporary folder, so that the tree stays as it
is whatever happens. A mutant that survives is not always a fault: it may compute the same.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = {
    "model/transformer": (
        "tests/model/transformer",
        "tests/model/training/optimization/test_loss.py",
    ),
    "service/scheduling/fair_queue.py": (
        "tests/service/scheduling/test_fair_queue.py",
        "tests/service/scheduling/test_fair_requests.py",
    ),
}
"""Tests of a target where they are not those of the folder that mirrors it."""
OUTCOMES = {0: "survived", 1: "killed", 3: "killed", 33: "no test", 34: "skipped", None: "not run"}
"""Exit codes that mutmut stores; every other one is a mutant that hung or crashed."""

UNNOTICED = ("survived", "no test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is mutated, and how long that may take."""

    targets: tuple[str, ...]
    """Modules and folders, relative to the root."""
    tests: tuple[str, ...]
    names: tuple[str, ...]
    """Patterns of the names of mutants to run; empty for all."""
    processes: int
    minutes: float | None
    """Mutants that are not reached by then are counted as not run."""


def main() -> int:
    """Mutate what the command line names; returns the exit code, 1 where a mutant survived."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder)
        _copy_tree(tree)
        _configure(tree, options)
        _run(tree, options)
        outcomes = dict(_outcomes(tree))
        survivors = [name for name, outcome in outcomes.items() if outcome in UNNOTICED]
        for name in survivors:
            print(_difference(tree, name))
    counts = Counter(outcomes.values())
    print(f"{' '.join(options.targets)}: {len(outcomes)} mutants:", end=" ")
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    print("\n".join(f"{outcomes[name]}: {name}" for name in survivors))
    return 1 if survivors or not outcomes else 0


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("targets", nargs="+", help="modules or folders to mutate")
    parser.add_argument("--tests", nargs="+", help="default: the tests that mirror the targets")
    parser.add_argument("--only", nargs="+", default=[], help="names of mutants, with wildcards")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, help="stop then, and list what is known")
    arguments = parser.parse_args()
    targets = [target.strip("/") for target in arguments.targets]
    for target in targets:
        if not (ROOT / target).exists():
            parser.error(f"{target} does not exist: name modules or folders of this repository")
    tests = arguments.tests or [test for target in targets for test in _tests_of(target)]
    return Options(
        targets=tuple(targets),
        tests=tuple(dict.fromkeys(tests)),
        names=tuple(arguments.only),
        processes=arguments.processes,
        minutes=arguments.minutes,
    )


def _tests_of(target: str) -> Sequence[str]:
    """The named tests of a target, or the nearest folder of tests that mirrors it."""
    if target in TESTS:
        return TESTS[target]
    mirror = Path("tests") / target
    module = mirror.with_name(f"test_{mirror.stem}.py")
    if (ROOT / module).exists():
        return [str(module)]
    while not (ROOT / mirror).is_dir():
        mirror = mirror.parent
    return [str(mirror)]


def _copy_tree(tree: Path) -> None:
    """Copy every file that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).exists():  # a deleted file is listed until that is committed
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name, follow_symlinks=False)


def _configure(tree: Path, options: Options) -> None:
    """Add mutmut's section to the copy of pyproject.toml."""
    packages = list(dict.fromkeys(target.split("/")[0] for target in options.targets))
    settings: dict[str, object] = {
        "source_paths": packages,
        "only_mutate": [t if t.endswith(".py") else f"{t}/*" for t in options.targets],
        "also_copy": [path.name for path in sorted(tree.iterdir()) if path.name not in packages],
        # The project's own options, such as several processes, are for a run of all tests.
        "pytest_add_cli_args": ["--override-ini=addopts=--import-mode=importlib", "-pno:randomly"],
        "pytest_add_cli_args_test_selection": options.tests,
        "process_isolation": "forkserver",  # torch and onnxruntime start threads
        "use_git_change_detection": False,
    }
    # What JSON writes of strings, lists of them and truth values is TOML.
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with (tree / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(["", "[tool.mutmut]", *lines, ""]))


def _run(tree: Path, options: Options) -> None:
    """Run mutmut; it prints how far it is, and says what is wrong before the first mutant."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(options.processes)]
    command += options.names
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=tree, env=environment, start_new_session=True) as run:
        try:
            run.wait(options.minutes and 60 * options.minutes)
        except subprocess.TimeoutExpired:
            print(f"\nstopped after {options.minutes:g} minutes")
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)  # its workers are in its session


def _outcomes(tree: Path) -> Iterator[tuple[str, str]]:
    """Every mutant and what became of it."""
    for path in sorted((tree / "mutants").rglob("*.meta")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for name, code in content["exit_code_by_key"].items():
            yield name, OUTCOMES.get(code, "hung or crashed")


def _difference(tree: Path, name: str) -> str:
    command = [sys.executable, "-m", "mutmut", "show", name]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    sys.exit(main())
