"""`python -m service` as it is really started: a process of its own, spoken to over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from service.settings import ENV_PREFIX, variable_of
from tests.service.tiny_models import TINY_BUNDLE

REPOSITORY = Path(__file__).parents[2]
LONGEST_S = 60
"""What one answer may take on a machine that has much else to do."""
_ENGINE = "pellucid-engine"
_PELLUCID = """
import signal, sys
from service.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """A server that answers."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """What it has logged; fails if a line is no JSON."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def metric(self, line_start: str) -> float:
        """Present value of a metric, 0 if it has no such line."""
        page = httpx.get(f"{self.url}/metrics", timeout=LONGEST_S).text.splitlines()
        return next((float(x.rpartition(" ")[2]) for x in page if x.startswith(line_start)), 0.0)

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(LONGEST_S)


def command(*arguments: str) -> list[str]:
    """`pellucid` with `arguments`, wherever it is installed.

    A shell starts a job in the background, and so the tests and what they start, with SIGINT
    ignored; this command ends on it as in the foreground.
    """
    return [sys.executable, "-c", _PELLUCID, *arguments]


def engines_of(pid: int) -> list[int]:
    """Processes of the engines of process `pid` that run, oldest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, name, rest = stat.read_text("utf-8").replace(")", "(").split("(")
        except (OSError, ValueError):
            continue  # it ended meanwhile, or has brackets in its name
        state, parent, *_ = rest.split()
        if name == _ENGINE and int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return sorted(found)


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return True


def run_command(
    *arguments: str, text: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `pellucid` to its end; `text` is its standard input."""
    return subprocess.run(
        command(*arguments),
        input=text,
        cwd=REPOSITORY,
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST_S,
        check=False,
    )


def environment(**variables: str) -> dict[str, str]:
    """Ours without its settings of the service but for the cache, and with `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == variable_of("cache_folder") or not name.startswith(ENV_PREFIX)
    }
    return kept | variables


@contextmanager
def serving(
    folder: Path, *flags: str, module: str = "service", **variables: str
) -> Iterator[ServerProcess]:
    """A server of the tiny bundle on a free port; killed at the end if it still runs.

    It refuses tests as often as they like.

    Args:
        folder: For its log.
        flags: Further flags; `--engines` among them, where threads that decode will not do.
        module: What is run.
        variables: Further variables of its environment.
    """
    log = folder / "log.jsonl"
    own = {"port": 0, "bundles": TINY_BUNDLE, "engines": 0, "max-refusals-per-s": 1_000_000}
    given = [part for name, value in own.items() for part in (f"--{name}", str(value))]
    with (
        log.open("w", encoding="utf-8") as written,
        subprocess.Popen(
            [sys.executable, "-m", module, *given, *flags],
            cwd=REPOSITORY,
            env=environment(**variables),
            stdout=written,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,  # a signal to its group is none to the tests
        ) as process,
    ):
        try:
            yield ServerProcess(process=process, url=_address(process), log=log)
        finally:
            process.kill()


def _address(process: "subprocess.Popen[str]") -> str:
    """Wait until the server says where it is."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(r"(http://\S+)/ ", line):
            return found[1]
    raise AssertionError(f"the server ended before it served: {said}")
