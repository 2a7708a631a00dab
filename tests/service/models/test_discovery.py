import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.manifest import MANIFEST_NAME
from bundle.tensors import ENCODER_NAME, SOURCE_TOKENIZER_NAME, WEIGHTS_NAME
from service.engine.graphs.sessions import Sessions
from service.errors import StartupError
from service.models.discovery import open_bundles
from tests.service.tiny_models import TINY_BUNDLE, altered_copy


def _cut_short(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _change(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _make_unreadable(file: Path) -> None:
    """Unreadable for root too, which no permission stops."""
    file.unlink()
    file.mkdir()


def _lead_nowhere(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.with_name("nowhere"))


@pytest.mark.parametrize("name", [WEIGHTS_NAME, ENCODER_NAME, SOURCE_TOKENIZER_NAME])
@pytest.mark.parametrize("spoil", [_cut_short, _change, _make_unreadable, _lead_nowhere])
def test_a_corrupt_file_is_named_in_one_line(
    tmp_path: Path, name: str, spoil: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")
    spoil(folder / name)
    with pytest.raises(StartupError) as caught:
        open_bundles([folder])
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    assert f"{name}: " in message


@pytest.mark.parametrize("spoil", [_cut_short, _make_unreadable])
def test_a_corrupt_manifest_is_named_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")
    spoil(folder / MANIFEST_NAME)
    with pytest.raises(StartupError) as caught:
        open_bundles([folder])
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message


def test_open_bundles_are_not_opened_again() -> None:
    (sessions,) = open_bundles([TINY_BUNDLE])
    (again,) = open_bundles([TINY_BUNDLE], opened={sessions.bundle.sha256: sessions})
    assert again is sessions


def test_a_bundle_that_is_replaced_between_reading_and_opening_is_opened_as_read(
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")

    class Replacing(dict[str, Sessions]):
        """Asked for a digest when the bundle has been read and before it is opened."""

        def get(self, sha256: str, default: object = None) -> None:  # type: ignore[override]
            shutil.rmtree(folder)
            altered_copy(folder, name="another")

    opened = Replacing(marker=open_bundles([TINY_BUNDLE])[0])
    (sessions,) = open_bundles([folder], opened=opened)
    assert sessions.bundle.manifest == opened["marker"].bundle.manifest
    assert sessions.encoder.get_inputs()


def test_without_sealed_memory_a_bundle_that_is_replaced_meanwhile_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.memfd_create")
    folder = shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")

    class Replacing(dict[str, Sessions]):
        """Likewise."""

        def get(self, sha256: str, default: object = None) -> None:  # type: ignore[override]
            shutil.rmtree(folder)
            altered_copy(folder, name="another")

    with pytest.raises(StartupError, match="it was replaced after it was verified"):
        open_bundles([folder], opened=Replacing(marker=open_bundles([TINY_BUNDLE])[0]))


def test_the_embedded_bundle_yields_a_pair_that_another_translates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = shutil.copytree(TINY_BUNDLE, tmp_path / "installed" / "en-de")
    embedded = altered_copy(tmp_path / "bundles" / "embedded", name="embedded")
    monkeypatch.setattr("bundle.folders._EMBEDDED", embedded.parent)
    opened = open_bundles([installed.parent, embedded.parent])
    assert [sessions.bundle.path for sessions in opened] == [installed, embedded]
