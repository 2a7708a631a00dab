"""The wheel alone, in an empty environment and an empty folder."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path

import pytest

from pellucid import Client

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]
PACKED = ("pellucid", "bundle", "bundles", "service", "model", "export")
TRANSLATE = """\
from pellucid import Translator
with Translator("en", "de") as translator:
    print(translator.translate("The weather is nice today."))
    print(translator.attention("Good.").png()[1:4].decode())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what is in the packages now, whatever lies beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    _build(folder)
    (found,) = folder.glob("*.whl")
    return found


def _build(folder: Path) -> None:
    tree = folder / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tree)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PACKED:
        shutil.copytree(REPOSITORY / name, tree / name, symlinks=True, ignore=ignored)
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", str(folder), str(tree)),
        folder=folder,
    )


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commands of an environment with the wheel; dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", str(folder), folder=folder)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(sorted(_folders(wheel))))
    _run(
        *(str(folder / "bin" / "python"), "-m", "pip", "install", "--no-deps"),
        *("--no-index", str(wheel)),
        folder=folder,
    )
    return folder / "bin"


def _required(wheel: Path) -> list[str]:
    """Names of the packages that come along with the wheel, without any extra."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    lines = metadata.get_all("Requires-Dist") or []
    return [re.split(r"[^\w.-]", line)[0] for line in lines if "extra ==" not in line]


def _folders(wheel: Path) -> set[str]:
    """Where the dependencies lie."""
    return {str(distribution(name).locate_file("")) for name in _required(wheel)}


def _variables(folder: Path) -> dict[str, str]:
    kept = ("PATH", "LANG", "TMPDIR")
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    home = folder.with_name(folder.name + "-home")
    return {**variables, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def _run(*command: str, folder: Path) -> str:
    """Run a command in a folder, with nothing of our environment; returns what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=_variables(folder),
        capture_output=True,
        encoding="utf-8",
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def _serving(environment: Path, folder: Path) -> Iterator[str]:
    command = [str(environment / "pellucid"), "serve", "--port", "0", "--engines", "1"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=_variables(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stderr is not None
            found = (re.search(r"(http://\S+)/ ", line) for line in process.stderr)
            yield next(match[1] for match in found if match)
        finally:
            process.terminate()


def test_wheel_holds_the_packages_and_the_embedded_bundle(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"pellucid", "bundle", "service", "model", "export"}
    embedded = {name.removeprefix("bundle/embedded/") for name in names if "embedded/" in name}
    bundles = REPOSITORY / "bundles"
    assert embedded == {str(p.relative_to(bundles)) for p in bundles.rglob("*") if p.is_file()}
    assert wheel.stat().st_size < 12e6


def test_wheel_requires_nothing_to_train_or_import_with(wheel: Path) -> None:
    required = set(_required(wheel))
    assert "onnxruntime" in required
    assert not required & {"torch", "onnx", "sacrebleu", "safetensors"}


def test_every_file_of_the_packages_but_training_text_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    packages = [REPOSITORY / name for name in PACKED if name != "bundles"]
    ours = {
        str(path.relative_to(REPOSITORY))
        for package in packages
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert ours - names == {"model/configs/en-de-written.tsv"}  # 6 MB, only to train with


def test_library_translates_in_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    printed = _run(str(environment / "python"), "-c", TRANSLATE, folder=tmp_path)
    assert printed.split("\n")[:2] == ["Das Wetter ist heute schön.", "PNG"]


def test_server_translates_in_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    with (
        _serving(environment, tmp_path) as url,
        Client(url, "en", "de") as client,
    ):
        assert client.translate("The weather is nice today.") == "Das Wetter ist heute schön."
    assert list(tmp_path.iterdir()) == []


def test_code_comes_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    program = "import pellucid, service, bundle; print(pellucid.__file__, service.__file__)"
    printed = _run(str(environment / "python"), "-c", program, folder=tmp_path)
    assert all(path.startswith(str(environment.parent)) for path in printed.split())
