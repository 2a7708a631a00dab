"""A Docker engine for the tests: the machine's own, or a private one that `engine.sh` starts."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("engine.sh")
CANNOT_START = 3


class NoEngineError(Exception):
    """No engine answers and none can be started; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A Docker engine that answers."""

    environment: Mapping[str, str]

    def docker(self, *arguments: str, timeout_s: float = 300) -> str:
        """Run `docker` and return what it printed, stripped."""
        return self.run("docker", *arguments, timeout_s=timeout_s).stdout.strip()

    def run(
        self, *command: str, timeout_s: float = 300, may_fail: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command against this engine; its output is shown when it fails."""
        done = subprocess.run(
            command,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode and not may_fail:
            raise AssertionError(f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done


@contextmanager
def running_engine() -> Iterator[Engine]:
    """The machine's engine where one answers, else a private one for as long as it is needed.

    Raises:
        NoEngineError: There is none, and none can be started here.
    """
    if shutil.which("docker") and _answers(os.environ):
        yield Engine(environment=os.environ)
        return
    started = subprocess.run([SCRIPT, "up"], capture_output=True, text=True, check=False)
    if started.returncode == CANNOT_START:
        raise NoEngineError(started.stderr.strip())
    started.check_returncode()
    engine = Engine(environment={**os.environ, "DOCKER_HOST": started.stdout.strip()})
    try:
        engine.run(str(SCRIPT), "base", timeout_s=600)
        yield engine
    finally:
        subprocess.run([SCRIPT, "down"], check=True)


def _answers(environment: Mapping[str, str]) -> bool:
    asked = subprocess.run(
        ["docker", "version"], env=dict(environment), capture_output=True, check=False
    )
    return asked.returncode == 0
