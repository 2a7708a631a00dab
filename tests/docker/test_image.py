"""The image as it is shipped: what is in it, how it starts and how it stops."""

import json
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.docker.engine import Engine
from tests.docker.reply import ask, wait_until
from tests.docker.running import CONFINED, running

pytestmark = [pytest.mark.docker, pytest.mark.slow]
REPOSITORY = Path(__file__).parents[2]
BASE = "python:3.11-slim-bookworm"
OPTIONAL = ("opentelemetry.", "ray", "redis")
PAIR = {"source": "en", "target": "de"}
TEXT = "The <b>weather</b> is nice today."
JSON, ANY = "application/json", "*/*"
REQUESTS: tuple[tuple[str, dict[str, object] | None, str], ...] = (
    ("/translate", {"q": TEXT, "format": "html", "alternatives": 2, "attention": True}, JSON),
    ("/translate", {"q": TEXT, "stream": True, "beam_size": 4}, ANY),
    ("/attention", {"q": TEXT}, "application/x-npz"),
    ("/attention", {"q": TEXT}, "image/png"),
    ("/attention", {"q": TEXT}, "image/svg+xml"),
    ("/attention", {"q": TEXT}, "text/html"),
    ("/score", {"pairs": [{"source_text": "Good.", "target_text": "Gut."}]}, JSON),
    ("/detect", {"q": "The weather is nice today."}, JSON),
    ("/v2/translate", {"text": [TEXT], "target_lang": "DE", "tag_handling": "html"}, JSON),
    ("/languages", None, JSON),
    ("/models", None, JSON),
    ("/metrics", None, ANY),
    ("/openapi.json", None, JSON),
    ("/docs", None, ANY),
    ("/model", None, ANY),
    ("/learn", None, ANY),
    ("/", None, ANY),
)
COUNT_ENGINES = """\
from pathlib import Path
from typing import Any
print([f.read_text() for f in Path("/proc").glob("[0-9]*/comm")].count("pellucid-engine\\n"))
"""


def test_image_holds_the_runtime_and_nothing_to_train_or_build_with(
    engine: Engine, image: str
) -> None:
    probe = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])"
    names = [
        "torch",
        "onnx",
        "model",
        "export",
        "pip",
        "setuptools",
        "service",
        "bundle",
        "pellucid",
    ]
    found = engine.docker(
        "run", "--rm", "--entrypoint=python", image, "-c", probe.format(names), timeout_s=60
    )
    assert found == "['service', 'bundle', 'pellucid']"


def test_image_adds_little_to_its_base(engine: Engine, image: str) -> None:
    sizes = engine.docker("image", "inspect", "--format={{.Size}}", image, BASE).split()
    size_bytes, base_bytes = map(int, sizes)
    assert size_bytes - base_bytes < 180e6


def test_every_module_of_the_runtime_can_be_imported(engine: Engine, image: str) -> None:
    probe = f"""\
import importlib, pkgutil, bundle, pellucid, service
for package in (bundle, pellucid, service):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name.endswith("__main__"):
            continue
        try:
            print(importlib.import_module(module.name).__name__)
        except ModuleNotFoundError as error:
            if not error.name.startswith({OPTIONAL}):
                raise
"""
    done = engine.run(
        *("docker", "run", "--rm", "--entrypoint=python", image, "-W", "error", "-c", probe),
        may_fail=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 100


def test_nothing_that_a_request_needs_was_left_out(engine: Engine, image: str) -> None:
    with running(engine, image) as (_, url):
        replies = {
            (path, accept): ask(url + path, {**PAIR, **fields} if fields else None, accept)
            for path, fields, accept in REQUESTS
        }
    assert {asked: r.text for asked, r in replies.items() if r.status != 200} == {}


@pytest.mark.parametrize("shared_memory", ["--shm-size=64k", "--ipc=none"])
@pytest.mark.parametrize("cpus", [1, 2])
def test_engines_fit_a_small_machine(
    engine: Engine, image: str, cpus: int, shared_memory: str
) -> None:
    """One engine per CPU of the quota, within 512 MB, with next to no shared memory or none."""
    small = (f"--cpus={cpus}", "--memory=512m", "--memory-swap=512m", shared_memory)
    with running(engine, image, *small) as (container, url):
        found = engine.docker("exec", container, "python", "-c", COUNT_ENGINES)
        assert int(found) == cpus
        texts = [f"The weather was nice on day {number}." for number in range(200)]
        pages = [{"q": f"<p>{text}</p>", "format": "html"} for text in texts[:50]]
        maps = [{"q": text, "kinds": ["cross", "encoder"]} for text in texts[:10]]
        whole: dict[str, Any] = {"q": " ".join(texts[50:]), "beam_size": 4, "alignment": True}
        asked: list[tuple[str, dict[str, Any]]] = [("/translate", {"q": text}) for text in texts]
        asked += [("/translate", page) for page in [*pages, whole]]
        asked += [("/attention", each) for each in maps]
        with ThreadPoolExecutor(4) as clients:
            replies = list(clients.map(lambda a: ask(url + a[0], a[1] | PAIR), asked))
        assert {reply.status for reply in replies} == {200}
        state = json.loads(engine.docker("inspect", "--format={{json .State}}", container))
        assert (state["Running"], state["OOMKilled"]) == (True, False)
        assert "pellucid_engine_restarts_total 0.0" in ask(f"{url}/metrics").text


def test_command_line_translates_in_the_container(engine: Engine, image: str) -> None:
    done = engine.run(
        *("docker", "run", "--rm", *CONFINED, image, "attention", "The weather is nice today."),
        *("--source=en", "--target=de", "--table"),
        may_fail=True,
    )
    assert done.returncode == 0, done.stderr
    assert "weather" in done.stdout


def test_layers_hold_no_date_but_the_one_they_were_given(engine: Engine, image: str) -> None:
    dated = engine.docker(
        *("run", "--rm", "--entrypoint=find", image),
        *("/opt/venv", "/app", "-newermt", "@0"),
    )
    assert dated == ""


def test_compiled_code_holds_no_date(engine: Engine, image: str) -> None:
    probe = """\
from pathlib import Path
from typing import Any
compiled = list(Path("/opt/venv").rglob("*.pyc"))
print(len(compiled), [p.name for p in compiled if p.read_bytes()[4:8] != bytes((1, 0, 0, 0))])
"""
    count, _, dated = engine.docker(
        "run", "--rm", "--entrypoint=python", image, "-c", probe
    ).partition(" ")
    assert int(count) > 1000
    assert dated == "[]"


def test_labels_say_what_it_is(engine: Engine, image: str) -> None:
    labels = json.loads(engine.docker("inspect", "--format={{json .Config.Labels}}", image))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "org.opencontainers.image."
    assert labels[prefix + "version"] == project["version"]
    assert labels[prefix + "licenses"] == project["license"]
    assert labels[prefix + "base.name"] == BASE


def test_termination_finishes_the_running_requests_and_exits_with_0(
    engine: Engine, image: str
) -> None:
    # Each another one: equal sentences would be translated once.
    text = " ".join(f"The weather was nice on day {number}." for number in range(400))
    fields = {"q": text, "beam_size": 4}
    with running(engine, image) as (container, url), ThreadPoolExecutor(1) as client:
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
    with running(engine, image) as (container, _):
        engine.docker("stop", container)
        lines = engine.run("docker", "logs", container).stdout.splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)


def _slots_in_use(url: str) -> float:
    found = re.search(
        r"^pellucid_slots_in_use(?:{.*})? (.*)$", ask(f"{url}/metrics").text, re.MULTILINE
    )
    return float(found[1]) if found else 0.0
