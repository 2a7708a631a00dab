from pathlib import Path

import pytest

from bundle.folders import (
    bundle_folders,
    default_paths,
    embedded_folder,
    folders_at,
    installed_folder,
    is_embedded,
    split_paths,
    yields,
)
from bundle.manifest import MANIFEST_NAME


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


def _make_bundle(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / MANIFEST_NAME).write_text("{}")
    return folder


def test_installed_bundles_lie_in_the_data_folder_of_the_user(data_folder: Path) -> None:
    assert installed_folder() == data_folder / "pellucid" / "bundles"


def test_without_installed_bundles_there_is_the_embedded_one() -> None:
    assert default_paths() == (embedded_folder(),)


def test_installed_bundles_come_before_the_embedded_one() -> None:
    installed = _make_bundle(installed_folder() / "en-pt")
    assert default_paths() == (installed_folder(), embedded_folder())
    assert bundle_folders(default_paths())[0] == installed.resolve()


def test_an_unfinished_installation_is_no_bundle(tmp_path: Path) -> None:
    _make_bundle(tmp_path / "some" / ".en-pt")
    (tmp_path / "some" / "notes").mkdir()
    assert folders_at(tmp_path / "some") == []


def test_a_bundle_that_is_found_twice_is_listed_once(tmp_path: Path) -> None:
    folder = _make_bundle(tmp_path / "some" / "en-pt")
    assert folders_at(folder) == [folder]
    assert bundle_folders([tmp_path / "some", folder]) == [folder.resolve()]


def test_only_bundles_of_the_program_are_embedded(tmp_path: Path) -> None:
    assert is_embedded(embedded_folder() / "en-de")
    assert not is_embedded(_make_bundle(tmp_path / "en-de"))


def test_the_embedded_bundle_yields_to_others_only(tmp_path: Path) -> None:
    embedded, other = embedded_folder() / "en-de", _make_bundle(tmp_path / "en-de")
    assert yields(embedded, other)
    assert not yields(other, embedded)
    assert not yields(embedded, embedded_folder() / "second")


def test_paths_are_separated_by_colons() -> None:
    assert split_paths("a::/b/c:") == (Path("a"), Path("/b/c"))
