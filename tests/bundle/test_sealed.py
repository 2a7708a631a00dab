"""Files in sealed memory: equal to those of the disk once, and out of reach from then on."""

import contextlib
import errno
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from bundle.errors import InvalidBundleError
from bundle.manifest import MANIFEST_NAME
from bundle.reader import open_sealed, read_bundle
from bundle.sealed import SealedFiles, Sealer
from bundle.tensors import WEIGHTS_NAME
from tests.service.tiny_models import TINY_BUNDLE


def sealed(folder: Path = TINY_BUNDLE) -> SealedFiles:
    files = read_bundle(folder, seals=True).files
    assert files is not None
    return files


def num_descriptors() -> int:
    """Of sealed files; other threads of the process open what they like."""
    links = list[str]()
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the folder itself
            links.append(str(each.readlink()))
    return sum(link.startswith("/memfd:pellucid-bundle") for link in links)


def test_every_file_is_there_byte_for_byte() -> None:
    files = sealed()
    contents = {file.name: file.read_bytes() for file in TINY_BUNDLE.iterdir()}
    assert {name: bytes(content) for name, content in files.items()} == contents
    assert len(files) == len(contents)


def test_an_empty_file_is_kept() -> None:
    sealer = Sealer.create()
    assert sealer is not None
    sealer.add("a", b"")
    sealer.add("b", b"b" * 5000)
    sealer.add("c", b"")
    assert dict(sealer.seal()) == {"a": b"", "b": b"b" * 5000, "c": b""}


@pytest.mark.parametrize(
    "change",
    [
        lambda file: os.ftruncate(file, 0),
        lambda file: os.ftruncate(file, 1 << 30),
        lambda file: os.pwrite(file, b"changed", 0),
    ],
)
def test_nothing_changes_it(change: Callable[[int], object]) -> None:
    files = sealed()
    before = bytes(files[WEIGHTS_NAME])
    with pytest.raises(OSError, match=os.strerror(errno.EPERM)):
        change(files.descriptor)
    assert bytes(files[WEIGHTS_NAME]) == before


def test_the_folder_may_change_and_go_once_it_is_read(tmp_path: Path) -> None:
    folder = shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")
    bundle = read_bundle(folder, seals=True)
    assert bundle.files is not None
    os.truncate(folder / WEIGHTS_NAME, 0)
    shutil.rmtree(folder)
    again = open_sealed(folder, bundle.files)
    assert (again.manifest, again.sha256, again.loaded) == (bundle.manifest, bundle.sha256, [])
    assert bytes(bundle.files[WEIGHTS_NAME]) == (TINY_BUNDLE / WEIGHTS_NAME).read_bytes()


def test_an_invalid_bundle_leaves_no_descriptor_open(tmp_path: Path) -> None:
    folder = shutil.copytree(TINY_BUNDLE, tmp_path / "bundle")
    content = bytearray((folder / WEIGHTS_NAME).read_bytes())
    content[100] ^= 1
    (folder / WEIGHTS_NAME).write_bytes(content)
    before = num_descriptors()
    with pytest.raises(InvalidBundleError, match=f"{WEIGHTS_NAME}: sha256 differs"):
        read_bundle(folder, seals=True)
    assert num_descriptors() == before


def test_its_descriptor_is_closed_with_it() -> None:
    gc.collect()
    before = num_descriptors()
    files = sealed()
    assert len(files[MANIFEST_NAME]) > 0
    assert num_descriptors() - before == 2  # one of them is the map's
    del files
    gc.collect()
    assert num_descriptors() <= before


@pytest.mark.parametrize("reason", [errno.ENOSYS, errno.EPERM])
def test_a_system_that_refuses_sealed_memory_leaves_the_files_where_they_are(
    monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(name: str, flags: int) -> NoReturn:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert read_bundle(TINY_BUNDLE, seals=True).files is None


def test_memory_that_is_used_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, flags: int) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        read_bundle(TINY_BUNDLE, seals=True)
