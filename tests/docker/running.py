"""A confined container of the image that answers."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.docker.engine import Engine
from tests.docker.reply import ask, wait_until

CONFINED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--user=10001:10001",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)


@contextmanager
def running(engine: Engine, image: str, *options: str) -> Iterator[tuple[str, str]]:
    """Id and address of a confined container that is ready."""
    port = "--publish=127.0.0.1::8000"
    container = engine.docker("run", "--detach", port, *CONFINED, *options, image, timeout_s=60)
    try:
        url = "http://" + engine.docker("port", container, "8000").splitlines()[0]
        wait_until(lambda: ask(f"{url}/readyz").status == 200, "the container is ready")
        yield container, url
    finally:
        engine.docker("rm", "--force", container)
