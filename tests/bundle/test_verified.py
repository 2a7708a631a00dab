"""Records of verified files: they save the hash, and nothing is believed of a file that changed."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import InvalidBundleError
from bundle.manifest import MANIFEST_NAME
from bundle.reader import Bundle, describe_bundle, read_bundle
from bundle.tensors import DECODER_NAME, WEIGHTS_NAME
from bundle.verified import Verification, VerifiedFiles, identity_of
from tests.service.tiny_models import TINY_BUNDLE, altered_copy

AN_HOUR_NS = 3_600_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "verified"


class Watched(VerifiedFiles):
    """Tells which files were hashed."""

    def __init__(self, records: Path, *, later_ns: int) -> None:
        super().__init__(records, lambda: time.time_ns() + later_ns)
        self.hashed: set[str] = set()

    def record(self, bundle: Path, sha256: str, verification: Verification) -> None:
        self.hashed = set(verification.hashed)
        super().record(bundle, sha256, verification)


def read(folder: Path, records: Path, *, seals: bool = False, later_ns: int = AN_HOUR_NS) -> Bundle:
    """As seen later, when the files have been at rest for long."""
    watched = Watched(records, later_ns=later_ns)
    return read_bundle(folder, seals=seals, verified=watched)


def hashed(folder: Path, records: Path, *, later_ns: int = AN_HOUR_NS) -> set[str]:
    """Names of the files that a further reading hashes."""
    watched = Watched(records, later_ns=later_ns)
    read_bundle(folder, verified=watched)
    return watched.hashed


@pytest.mark.parametrize("seals", [False, True])
def test_a_verified_bundle_is_hashed_once(folder: Path, records: Path, seals: bool) -> None:
    first = Watched(records, later_ns=AN_HOUR_NS)
    manifest = read_bundle(folder, seals=seals, verified=first).manifest
    assert first.hashed == set(manifest.files)
    assert hashed(folder, records) == set()


def test_known_files_are_sealed_byte_for_byte(folder: Path, records: Path) -> None:
    read(folder, records)
    files = read(folder, records, seals=True).files
    assert files is not None
    assert {name: bytes(content) for name, content in files.items()} == {
        file.name: file.read_bytes() for file in TINY_BUNDLE.iterdir()
    }


def _overwrite(file: Path) -> None:
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as if nothing had been written


def _replace(file: Path) -> None:
    other = file.with_name("other")
    shutil.copy2(file, other)
    _overwrite(other)
    other.replace(file)


@pytest.mark.parametrize("change", [_overwrite, _replace])
@pytest.mark.parametrize("seals", [False, True])
def test_a_file_that_changed_is_hashed_again(
    folder: Path, records: Path, change: Callable[[Path], None], seals: bool
) -> None:
    read(folder, records)
    change(folder / WEIGHTS_NAME)
    with pytest.raises(InvalidBundleError, match=f"{WEIGHTS_NAME}: sha256 differs"):
        read(folder, records, seals=seals)


def test_only_the_changed_file_is_hashed_again(folder: Path, records: Path) -> None:
    read(folder, records)
    (folder / DECODER_NAME).touch()
    assert hashed(folder, records) == {DECODER_NAME}
    assert hashed(folder, records) == set()


def test_a_file_that_was_written_a_moment_ago_is_not_recorded(folder: Path, records: Path) -> None:
    """A second write in the same tick of the file system's clock would not show."""
    read(folder, records, later_ns=0)
    assert WEIGHTS_NAME in hashed(folder, records, later_ns=0)


def test_records_of_another_manifest_count_for_nothing(
    folder: Path, records: Path, tmp_path: Path
) -> None:
    read(folder, records)
    other = altered_copy(tmp_path / "other", name="other")
    shutil.copy2(other / MANIFEST_NAME, folder / MANIFEST_NAME)
    assert WEIGHTS_NAME in hashed(folder, records)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"manifest": 1}', b"\xff", b"[" * 100_000, b'{"files": {}}'],
)
def test_a_damaged_record_is_ignored(folder: Path, records: Path, content: bytes) -> None:
    read(folder, records)
    (record,) = records.iterdir()
    record.write_bytes(content)
    assert WEIGHTS_NAME in hashed(folder, records)
    assert hashed(folder, records) == set()


@pytest.mark.parametrize("value", [None, 1, [1], [1, 2, 3, 4, "5"], [True] * 5, {}])
def test_a_record_with_a_wrong_identity_is_ignored(
    folder: Path, records: Path, value: object
) -> None:
    read(folder, records)
    (record,) = records.iterdir()
    content = json.loads(record.read_bytes())
    content["files"][WEIGHTS_NAME] = value
    record.write_text(json.dumps(content), encoding="utf-8")
    assert WEIGHTS_NAME in hashed(folder, records)


def test_without_a_place_for_records_everything_is_hashed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    read(folder, tmp_path / "file" / "below")
    assert WEIGHTS_NAME in hashed(folder, tmp_path / "file" / "below")


def test_a_bundle_with_faults_leaves_no_record(folder: Path, records: Path) -> None:
    (folder / WEIGHTS_NAME).write_bytes(b"")
    with pytest.raises(InvalidBundleError):
        read(folder, records)
    assert not records.exists()


def test_a_description_opens_no_file_and_knows_every_fault_of_names_and_sizes(
    folder: Path,
) -> None:
    whole = read_bundle(folder)
    described = describe_bundle(folder)
    assert (described.manifest, described.sha256) == (whole.manifest, whole.sha256)
    assert described.loaded == []
    (folder / WEIGHTS_NAME).write_bytes(b"")
    (folder / DECODER_NAME).unlink()
    (folder / "stray").touch()
    with pytest.raises(InvalidBundleError) as caught:
        describe_bundle(folder)
    for fault in (f"{WEIGHTS_NAME}: 0 bytes", f"{DECODER_NAME}: No such file", "stray: in the"):
        assert fault in str(caught.value)


def test_an_identity_changes_with_a_write_that_hides_its_time(folder: Path) -> None:
    before = identity_of(folder / WEIGHTS_NAME)
    _overwrite(folder / WEIGHTS_NAME)
    assert identity_of(folder / WEIGHTS_NAME) != before
