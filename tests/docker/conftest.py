"""One engine, one image and one running composition for all container tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.composition import COMPOSE_FILE, Composition, compose
from tests.docker.engine import Engine, NoEngineError, running_engine

REPOSITORY = Path(__file__).parents[2]
PROJECT = "pellucid-test"
IMAGE = "pellucid:test"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine; where there can be none the tests are skipped, on CI they fail."""
    try:
        with running_engine() as running:
            yield running
    except NoEngineError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image, built from the Dockerfile."""
    dockerfile = REPOSITORY / "docker" / "Dockerfile"
    engine.docker(
        "build", "--file", str(dockerfile), "--tag", IMAGE, str(REPOSITORY), timeout_s=900
    )
    return IMAGE


@pytest.fixture(scope="module")
def composition(engine: Engine, image: str) -> Iterator[Composition]:
    """`docker/compose.yaml`, up and healthy on free ports."""
    ports = dict.fromkeys(("PELLUCID_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"), "0")
    variables = {**ports, "IMAGE_TAG": image.split(":")[1]}
    composed = Engine(environment={**engine.environment, **variables})
    command = (compose(), "--file", str(COMPOSE_FILE), "--project-name", PROJECT)
    try:
        composed.run(*command, "up", "--detach", "--no-build", "--wait", timeout_s=180)
        yield Composition(engine=composed, command=command)
    finally:
        composed.run(*command, "down", "--volumes", "--timeout", "40", timeout_s=120)
