"""The image as it is shipped: what is in it, how it starts and how it stops."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docker.engine import Engine
from tests.docker.reply import ask, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.slow]
CONFINED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--user=10001:10001",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)


def test_image_holds_the_runtime_and_nothing_to_train_or_build_with(
    engine: Engine, image: str
) -> None:
    probe = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])"
    names = ["torch", "onnx", "model", "export", "pip", "setuptools", "service", "bundle"]
    found = engine.docker(
        "run", "--rm", "--entrypoint=python", image, "-c", probe.format(names), timeout_s=60
    )
    assert found == "['service', 'bundle']"


def test_image_is_small(engine: Engine, image: str) -> None:
    size_bytes = int(engine.docker("image", "inspect", "--format={{.Size}}", image))
    assert size_bytes < 430e6


def test_termination_finishes_the_running_requests_and_exits_with_0(
    engine: Engine, image: str
) -> None:
    fields = {"q": "The weather is nice today. " * 400, "beam_size": 4}
    with _running(engine, image) as (container, url), ThreadPoolExecutor(1) as client:
        reply = client.submit(ask, f"{url}/translate", {**fields, "source": "en", "target": "de"})
        wait_until(lambda: _slots_in_use(url) > 0, "the request is being decoded")
        engine.docker("kill", "--signal=TERM", container)
        assert engine.docker("wait", container, timeout_s=60) == "0"
        assert reply.result().status == 200


def test_folder_without_a_bundle_ends_the_start_with_one_line_and_exit_code_2(
    engine: Engine, image: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    done = engine.run(
        *("docker", "run", "--rm", *CONFINED, f"--volume={tmp_path}:/app/bundles:ro", image),
        may_fail=True,
        timeout_s=60,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "/app/bundles" in done.stderr


def test_standard_output_is_json_lines(engine: Engine, image: str) -> None:
    with _running(engine, image) as (container, _):
        engine.docker("stop", container)
        lines = engine.run("docker", "logs", container).stdout.splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)


@contextmanager
def _running(engine: Engine, image: str) -> Iterator[tuple[str, str]]:
    """Id and address of a confined container that is ready."""
    port = "--publish=127.0.0.1::8000"
    container = engine.docker("run", "--detach", port, *CONFINED, image, timeout_s=60)
    try:
        url = "http://" + engine.docker("port", container, "8000").splitlines()[0]
        wait_until(lambda: ask(f"{url}/readyz").status == 200, "the container is ready")
        yield container, url
    finally:
        engine.docker("rm", "--force", container)


def _slots_in_use(url: str) -> float:
    found = re.search(
        r"^pellucid_slots_in_use(?:{.*})? (.*)$", ask(f"{url}/metrics").text, re.MULTILINE
    )
    return float(found[1]) if found else 0.0
