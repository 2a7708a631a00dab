"""A folder is replaced only on request, and only if it is a bundle."""

from pathlib import Path

import pytest

from bundle.manifest import MANIFEST_NAME
from export.errors import ExportError
from export.publication.packing import check_replaceable, file_entries, publish


def test_files_are_listed_with_size_and_digest(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"abc")
    (tmp_path / "a").write_bytes(b"")
    entries = file_entries(tmp_path.iterdir())
    assert list(entries) == ["a", "b"]
    assert entries["b"].size_bytes == 3
    assert entries["b"].sha256.startswith("ba7816bf8f01cfea")


def test_a_free_name_needs_no_force(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "new", force=False)


def test_a_bundle_is_replaced_only_by_force(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_text("{}")
    with pytest.raises(ExportError, match="use --force"):
        check_replaceable(tmp_path, force=False)
    check_replaceable(tmp_path, force=True)


def test_force_replaces_bundles_only(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is no bundle"):
        check_replaceable(tmp_path, force=True)
    file = tmp_path / "file"
    file.write_text("precious")
    with pytest.raises(ExportError, match="is no bundle"):
        check_replaceable(file, force=True)


def test_publishing_moves_the_old_bundle_aside(tmp_path: Path) -> None:
    staging, out = tmp_path / "staging", tmp_path / "out"
    (staging / "int8").mkdir(parents=True)
    (staging / "int8" / "content").write_text("new")
    out.mkdir()
    (out / "content").write_text("old")
    publish(staging / "int8", out)
    assert (out / "content").read_text() == "new"
    assert (staging / "replaced" / "content").read_text() == "old"
