"""`pellucid models` and `pellucid remove`."""

import json
import shutil
from pathlib import Path

import pytest

from bundle.folders import installed_folder
from bundle.manifest import MANIFEST_NAME
from export.errors import InstallError
from export.installation.installed import check_place, publish, tidy
from service.cli.main import main
from tests.export.installation.test_install import refused

TINY_BUNDLE = Path(__file__).parents[2] / "data" / "tiny-bundle"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one bundle."""
    monkeypatch.delenv("PELLUCID_BUNDLES", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    shutil.copytree(TINY_BUNDLE, installed_folder() / "my-model")
    return installed_folder()


def _lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Lines of the table by the name of the bundle."""
    return {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}


def test_models_lists_what_is_installed_and_what_came_with_the_program(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models"]) == 0
    lines = _lines(capsys)
    assert list(lines) == ["name", "my-model", "en-de"]
    assert " en-de " in lines["my-model"]
    assert str(folder) in lines["my-model"]
    assert "en-de, de-en" in lines["en-de"]
    assert "see MODEL_CARD.md" in lines["en-de"]
    assert "en->de BLEU " in lines["en-de"]
    assert "with the program" in lines["en-de"]


def test_a_bundle_that_is_broken_is_listed_as_such(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "my-model" / MANIFEST_NAME).write_text("{}")
    assert main(["models"]) == 0
    assert "broken: no manifest that can be read" in _lines(capsys)["my-model"]
    assert main(["remove", "my-model"]) == 0


def test_the_licence_is_the_publisher_s(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "my-model" / MANIFEST_NAME
    manifest = json.loads(file.read_bytes())
    origin = {"kind": "firefox", "name": "x", "files": {}, "licence": "MPL-2.0"}
    manifest["provenance"]["foreign"] = origin
    file.write_text(json.dumps(manifest))
    assert main(["models"]) == 0
    assert " MPL-2.0 " in _lines(capsys)["my-model"]


def test_a_removed_bundle_is_gone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", "my-model"]) == 0
    assert f"{folder / 'my-model'} is removed" in capsys.readouterr().out
    assert [path.name for path in folder.iterdir()] == [".install.lock"]
    message = refused(capsys, "remove", "my-model")
    assert message == "pellucid remove: no bundle 'my-model' is installed; there are: none"


def test_the_embedded_bundle_is_not_removed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "en-de came with the program" in refused(capsys, "remove", "en-de")
    assert (folder / "my-model").is_dir()


@pytest.mark.parametrize("name", ["../my-model", "..", ".", ""])
def test_a_name_is_no_path(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is installed; there are: my-model" in refused(capsys, "remove", name)
    assert (folder / "my-model").is_dir()


def test_a_bundle_that_cannot_be_put_in_place_leaves_the_old_one(folder: Path) -> None:
    place = folder / "my-model"
    before = (place / MANIFEST_NAME).read_bytes()
    with pytest.raises(OSError, match="No such file"):
        publish(folder / "missing", place)
    assert (place / MANIFEST_NAME).read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["my-model"]


def test_an_old_bundle_is_dropped_where_its_successor_is_in_place(folder: Path) -> None:
    shutil.copytree(TINY_BUNDLE, folder / ".my-model.replaced")
    shutil.copytree(TINY_BUNDLE, folder / ".other.removed")
    tidy(folder)
    assert [path.name for path in folder.iterdir()] == ["my-model"]


def test_a_link_to_a_bundle_is_replaced_and_what_it_leads_to_stays(
    folder: Path, tmp_path: Path
) -> None:
    elsewhere = (folder / "my-model").rename(tmp_path / "elsewhere")
    (folder / "my-model").symlink_to(elsewhere)
    publish(Path(shutil.copytree(TINY_BUNDLE, folder / ".install-abc")), folder / "my-model")
    assert [path.name for path in folder.iterdir()] == ["my-model"]
    assert not (folder / "my-model").is_symlink()
    (folder / ".my-model.replaced").symlink_to(elsewhere)  # killed before it was dropped
    tidy(folder)
    assert [path.name for path in folder.iterdir()] == ["my-model"]
    assert (elsewhere / MANIFEST_NAME).exists()


def test_what_is_no_bundle_is_not_replaced(folder: Path) -> None:
    place = folder / "en-de"
    place.mkdir()
    check_place([], "en-de", place)
    (place / "train.tsv").write_text("a\tb\n", encoding="utf-8")
    with pytest.raises(InstallError, match=f"{place} is no bundle, and is not replaced: move it"):
        check_place([], "en-de", place)
    check_place([], "en-de", folder / "my-model")


def test_a_bundle_is_removed_by_its_own_name_too(folder: Path) -> None:
    (folder / "my-model").rename(folder / "renamed")
    assert main(["remove", "tiny"]) == 0
    assert not (folder / "renamed").exists()
