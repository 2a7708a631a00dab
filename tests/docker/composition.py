"""The services of the compose file, while they run."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docker.engine import Engine

COMPOSE_FILE = Path(__file__).parents[2] / "docker" / "compose.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The services of `docker/compose.yaml`, up and healthy."""

    engine: Engine
    command: tuple[str, ...]

    def replace(self, service: str) -> None:
        """Stop `service`, start it anew, and wait until it is healthy."""
        new = ("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--wait", service)
        self.engine.run(*self.command, *new, timeout_s=120)

    def container(self, service: str) -> str:
        """Id of the container that runs `service`."""
        return self.engine.run(*self.command, "ps", "--quiet", service).stdout.strip()

    def url(self, service: str, port: int) -> str:
        """Where `port` of `service` is reached from this machine."""
        published = self.engine.run(*self.command, "port", service, str(port)).stdout.strip()
        return f"http://127.0.0.1:{published.rsplit(':', 1)[1]}"

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows about the container of `service`."""
        known: list[dict[str, Any]] = json.loads(
            self.engine.docker("inspect", self.container(service))
        )
        return known[0]

    def execute(self, service: str, *command: str) -> tuple[int, str]:
        """Exit code and output of a command inside the container of `service`."""
        done = self.engine.run(
            "docker", "exec", self.container(service), *command, may_fail=True, timeout_s=60
        )
        return done.returncode, done.stdout


def compose() -> str:
    """The program that reads the compose file."""
    beside_python = Path(sys.executable).with_name("docker-compose")
    found = str(beside_python) if beside_python.exists() else shutil.which("docker-compose")
    assert found, "docker-compose is not installed: `make test` installs it"
    return found
