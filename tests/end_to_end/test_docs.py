"""The documents say what is so: their examples run, and their tables leave nothing out."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bundle import manifest
from bundle.manifest import MANIFEST_NAME, Architecture
from bundle.tensors import (
    BEAMS_NAME,
    GRAPH_NAMES,
    INSPECTION_NAMES,
    REQUIRED_FILES,
    alti_spec,
    attention_spec,
    beams_spec,
    candidates_spec,
    decoder_spec,
    encoder_spec,
    states_spec,
    value_zeroing_spec,
)
from service.errors import ServiceError
from service.observability.metrics import Metrics
from service.settings import ENV_PREFIX, Settings
from tests.service.server_process import command, environment, serving

REPOSITORY = Path(__file__).parents[2]
GUIDE = "docs/attention.md"
GUIDE_STEP = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTED_ADDRESS = "localhost:8000"
# An example that answers with an error is a wrong example.
STRICT_CURL = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A shell example of a document."""

    where: str
    script: str


def _examples(*names: str) -> list[Example]:
    found = []
    for name in names:
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Example(where=f"{name}:{line}", script=match[1]))
    return [example for example in found if example.script.startswith("curl ")]


MANIFEST_PARTS = [
    value
    for name, value in vars(manifest).items()
    if isinstance(value, type) and issubclass(value, BaseModel) and value.model_fields
]
WITH_EXAMPLES = ("README.md", "docs/api.md", "docs/clients.md")
EXAMPLES = _examples(*WITH_EXAMPLES)
PYTHON_RECIPES = re.findall(
    r"^```python\n(.*?)^```$",
    (REPOSITORY / "docs" / "clients.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)[:2]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a server with the embedded bundles."""
    folder = tmp_path_factory.mktemp("docs")
    with serving(folder, "--bundles", str(REPOSITORY / "bundles")) as server:
        yield server.url.removeprefix("http://")


def test_documents_have_examples() -> None:
    assert {example.where.split(":")[0] for example in EXAMPLES} == set(WITH_EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.where)
def test_example_runs(example: Example, address: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    script = STRICT_CURL + example.script.replace(DOCUMENTED_ADDRESS, address)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


def _guide_steps() -> list[tuple[str, str]]:
    return GUIDE_STEP.findall((REPOSITORY / GUIDE).read_text(encoding="utf-8"))


def _run_step(language: str, code: str, address: str, folder: Path) -> str:
    """Run a step of the guide as its reader would; returns what it prints."""
    program = [sys.executable, "-c"]
    if language == "bash":
        program = ["bash", "-c"]
        pellucid = f'pellucid() {{ {shlex.join(command())} "$@"; }}\n'
        code = STRICT_CURL + pellucid + code.replace(DOCUMENTED_ADDRESS, address)
    done = subprocess.run(
        [*program, code],
        cwd=folder,
        env=environment(PYTHONPATH=str(REPOSITORY), PELLUCID_BUNDLES=str(REPOSITORY / "bundles")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, code + done.stdout + done.stderr
    return done.stdout


def test_the_guide_runs_from_beginning_to_end(address: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    for language, code in _guide_steps():
        if "bertviz" not in code:
            assert _run_step(language, code, address, tmp_path).strip(), code
    assert {path.name for path in tmp_path.iterdir()} == {
        *("map.png", "map.svg", "maps.npz", "why.svg"),
        *("corpus.tsv", "corpus.npz", "corpus.json", "corpus.pharaoh", "gold.txt"),
    }


def test_bertviz_reads_the_arrays(address: str, tmp_path: Path) -> None:
    if find_spec("bertviz") is None or shutil.which("curl") is None:
        pytest.skip("bertviz or curl is not installed")
    for language, code in _guide_steps():
        if "-o maps.npz" in code or "bertviz" in code:
            _run_step(language, code, address, tmp_path)
    assert "Wetter" in (tmp_path / "heads.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", PYTHON_RECIPES)
def test_a_client_of_another_service_translates(code: str, address: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code.replace("127.0.0.1:8000", address)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout == "Guten Morgen.\n", done.stderr


def test_every_path_and_parameter_is_documented(address: str) -> None:
    with urllib.request.urlopen(f"http://{address}/openapi.json", timeout=10) as response:
        contract = json.load(response)
    text = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    assert [path for path in contract["paths"] if f"{path}`" not in text] == []
    names = {name for path in contract["paths"].values() for name in _body_parameters(path)}
    assert names
    assert sorted(name for name in names if f"`{name}`" not in text) == []


def _body_parameters(path: dict[str, Any]) -> set[str]:
    bodies = [
        operation["requestBody"]["content"]
        for operation in path.values()
        if "requestBody" in operation
    ]
    return {
        name for body in bodies for kind in body.values() for name in kind["schema"]["properties"]
    }


def test_every_error_code_is_documented() -> None:
    text = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    codes = {error.code for error in _descendants(ServiceError)}
    assert codes
    assert sorted(code for code in codes if f"`{code}`" not in text) == []


def _descendants(error: type[ServiceError]) -> list[type[ServiceError]]:
    children = error.__subclasses__()
    return children + [deeper for child in children for deeper in _descendants(child)]


@pytest.mark.parametrize("model", MANIFEST_PARTS, ids=lambda model: model.__name__)
def test_every_field_of_the_manifest_is_documented(model: type[BaseModel]) -> None:
    text = (REPOSITORY / "docs" / "bundle-format.md").read_text(encoding="utf-8")
    assert [name for name in model.model_fields if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", [MANIFEST_NAME, *REQUIRED_FILES, BEAMS_NAME, *INSPECTION_NAMES])
def test_every_file_of_a_bundle_is_documented(name: str) -> None:
    text = (REPOSITORY / "docs" / "bundle-format.md").read_text(encoding="utf-8")
    assert f"| `{name}` |" in text
    assert (f"### `{name}`" in text) == (name in (*GRAPH_NAMES, BEAMS_NAME, *INSPECTION_NAMES))


def test_every_tensor_is_documented() -> None:
    architecture = Architecture(
        vocab_size=8,
        d_model=4,
        d_ff=4,
        num_heads=2,
        num_encoder_layers=1,
        num_decoder_layers=1,
        activation="relu",
        norm_position="post",
        positions="sinusoidal",
        num_parameters=1,
    )
    text = (REPOSITORY / "docs" / "bundle-format.md").read_text(encoding="utf-8")
    for graph in (
        encoder_spec(architecture, "int8"),
        decoder_spec(architecture, "int8"),
        candidates_spec(architecture.vocab_size),
        beams_spec(architecture, "int8"),
        attention_spec(architecture),
        value_zeroing_spec(architecture),
        alti_spec(architecture),
        states_spec(architecture),
    ):
        names = {tensor.name.replace(".0", ".i") for tensor in (*graph.inputs, *graph.outputs)}
        assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_every_setting_and_every_metric_is_explained_to_the_operator() -> None:
    text = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    settings = [ENV_PREFIX + name.upper() for name in Settings.model_fields]
    metrics = [family.name for family in Metrics().registry.collect()]
    ours = [name for name in metrics if name.startswith("pellucid_")]
    assert len(ours) > 20
    assert [name for name in (*settings, *ours) if f"`{name}" not in text] == []


def test_every_alert_is_explained_to_the_operator() -> None:
    rules = (REPOSITORY / "docker/prometheus/alerts.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert len(alerts) > 10
    text = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    assert [name for name in alerts if f"| `{name}` |" not in text] == []
