"""The image that imports: a bundle in a volume, which the ordinary image serves."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.engine import Engine
from tests.docker.reply import ask
from tests.docker.running import CONFINED, running
from tests.export.importers.firefox.firefox_models import save_model

pytestmark = [pytest.mark.docker, pytest.mark.slow]
REPOSITORY = Path(__file__).parents[2]
BUNDLES = "/var/lib/pellucid/bundles"
IMPORTER, VOLUME = "pellucid:test-importer", "pellucid-test-bundles"


@pytest.fixture(scope="module")
def importer(engine: Engine, image: str) -> str:
    """The image that imports, on top of the image."""
    dockerfile = REPOSITORY / "docker" / "importer.Dockerfile"
    engine.docker(
        *("build", "--file", str(dockerfile), "--tag", IMPORTER),
        *("--build-arg", f"IMAGE={image}", str(REPOSITORY)),
        timeout_s=600,
    )
    return IMPORTER


@pytest.fixture(scope="module")
def volume(engine: Engine) -> Iterator[str]:
    engine.docker("volume", "create", VOLUME)
    yield VOLUME
    engine.docker("volume", "rm", "--force", VOLUME)


def test_imported_bundles_are_served_beside_the_embedded_one(
    engine: Engine, image: str, importer: str, volume: str, tmp_path: Path
) -> None:
    checkpoint = save_model(tmp_path / "enfr", enc_depth=1, dec_depth=1)
    for path in (tmp_path, checkpoint, *checkpoint.iterdir()):
        path.chmod(0o755)
    bundles = f"--volume={volume}:{BUNDLES}"
    engine.docker(
        *("run", "--rm", *CONFINED, bundles, f"--volume={checkpoint}:/checkpoint:ro", importer),
        *("import", "firefox", "/checkpoint", f"{BUNDLES}/en-fr", "--source=en", "--target=fr"),
    )
    with running(engine, image, bundles) as (_, url):
        languages = json.loads(ask(f"{url}/languages").text)
        fields = {"q": "Good morning.", "source": "en"}
        assert ask(f"{url}/translate", {**fields, "target": "fr"}).status == 200
        assert "Guten Morgen" in ask(f"{url}/translate", {**fields, "target": "de"}).text
    targets = {language["code"]: set(language["targets"]) for language in languages}
    assert {"de", "fr"} <= targets["en"]


def test_importer_has_no_torch_and_adds_little(engine: Engine, image: str, importer: str) -> None:
    probe = "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('pip'))"
    found = engine.docker("run", "--rm", "--entrypoint=python", importer, "-c", probe)
    assert found == "None None"
    sizes = engine.docker("image", "inspect", "--format={{.Size}}", importer, image).split()
    importer_bytes, image_bytes = map(int, sizes)
    assert importer_bytes - image_bytes < 60e6


@pytest.mark.parametrize("kind", ["ctranslate2", "firefox", "hf-marian", "marian"])
def test_kinds_without_torch_can_be_read(
    engine: Engine, importer: str, tmp_path: Path, kind: str
) -> None:
    """No file is there: the message is of the reader, not of a missing package."""
    tmp_path.chmod(0o755)
    done = engine.run(
        *("docker", "run", "--rm", *CONFINED, f"--volume={tmp_path}:/checkpoint:ro", importer),
        *("import", kind, "/checkpoint", "/tmp/bundle", "--source=en", "--target=de"),
        may_fail=True,
    )
    assert done.returncode == 2
    assert "/checkpoint" in done.stderr
    assert "needs" not in done.stderr


def test_image_without_the_importer_says_what_is_missing(engine: Engine, image: str) -> None:
    done = engine.run("docker", "run", "--rm", image, "import", "--help", may_fail=True)
    assert done.returncode == 2
    assert "`pellucid import` needs export" in done.stderr
    assert os.linesep not in done.stderr.strip()
