"""The table of a shortlist is checked like everything else in a bundle."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle.errors import InvalidBundleError
from bundle.reader import read_bundle
from bundle.shortlist import ShortlistTable, read_table, write_table
from bundle.tensors import SHORTLIST_NAME, SHORTLIST_TABLE_NAME
from tests.bundle.bundles import (
    TINY_BUNDLE,
    change_manifest,
    copy_of_tiny,
    list_anew,
    read_manifest,
    write_manifest,
)

SOURCE_VOCAB_SIZE = read_bundle(TINY_BUNDLE).tokenizer.source_vocab_size

SIZES = {"num_common": 3, "num_own": 4, "max_source_tokens": 20, "num_pairs": 9}


def _table(**changes: object) -> ShortlistTable:
    arrays: dict[str, Any] = {
        "common": np.array([3, 10, 11], np.int32),
        "offsets": np.r_[0, np.full(SOURCE_VOCAB_SIZE, 2)].astype(np.int32),
        "targets": np.array([20, 21], np.int32),
    }
    return ShortlistTable(**{**arrays, **changes})


def _bundle_with(folder: Path, table: ShortlistTable) -> Path:
    """A copy of the tiny bundle with a shortlist; its graphs are never opened."""
    bundle = copy_of_tiny(folder)
    write_table(bundle / SHORTLIST_TABLE_NAME, table)
    (bundle / SHORTLIST_NAME).write_bytes(b"graph")
    for name in (SHORTLIST_TABLE_NAME, SHORTLIST_NAME):
        list_anew(bundle, name)
    change_manifest(bundle, {"shortlist": SIZES})
    return bundle


def _faults(bundle: Path) -> tuple[str, ...]:
    with pytest.raises(InvalidBundleError) as caught:
        read_bundle(bundle)
    return caught.value.faults


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    bundle = read_bundle(_bundle_with(tmp_path, _table()))
    assert bundle.shortlist is not None
    np.testing.assert_array_equal(bundle.shortlist.common, [3, 10, 11])
    np.testing.assert_array_equal(bundle.shortlist.targets, [20, 21])
    np.testing.assert_array_equal(bundle.shortlist.offsets, _table().offsets)


def test_a_bundle_without_shortlist_has_none() -> None:
    assert read_bundle(TINY_BUNDLE).shortlist is None


@pytest.mark.parametrize("name", [SHORTLIST_TABLE_NAME, SHORTLIST_NAME])
def test_a_shortlist_needs_its_files(tmp_path: Path, name: str) -> None:
    bundle = _bundle_with(tmp_path, _table())
    (bundle / name).unlink()
    content = read_manifest(bundle)
    del content["files"][name]
    write_manifest(bundle, content)
    assert f"{name}: not listed in the manifest" in _faults(bundle)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"common": np.array([10, 11, 12], np.int32)}, "the end token is not common"),
        ({"common": np.array([3, 11, 10], np.int32)}, "not in ascending order"),
        ({"common": np.array([3, 10], np.int32)}, "2 common pieces, the manifest says 3"),
        ({"common": np.array([3, 10, 9999], np.int32)}, "common has ids outside the vocabulary"),
        ({"targets": np.array([20, -1], np.int32)}, "targets has ids outside the vocabulary"),
        ({"offsets": np.array([0, 2], np.int32)}, "offsets do not cut targets"),
        ({"targets": np.array([20], np.int32)}, "offsets do not cut targets"),
        ({"offsets": np.array([], np.int32)}, "offsets do not cut targets"),
        ({"targets": np.array([20, 21], np.int64)}, "targets is int64 with 1 axes"),
        ({"common": np.array([[3, 10, 11]], np.int32)}, "common is int32 with 2 axes"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], fault: str
) -> None:
    faults = _faults(_bundle_with(tmp_path, _table(**changes)))
    assert any(f.startswith(f"{SHORTLIST_TABLE_NAME}: ") and fault in f for f in faults), faults


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_what_is_no_table_is_one_fault(tmp_path: Path, content: bytes) -> None:
    bundle = _bundle_with(tmp_path, _table())
    (bundle / SHORTLIST_TABLE_NAME).write_bytes(content)
    list_anew(bundle, SHORTLIST_TABLE_NAME)
    (fault,) = _faults(bundle)
    assert fault.startswith(f"{SHORTLIST_TABLE_NAME}: no table can be read")


def test_a_table_of_other_arrays_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", common=np.zeros(3, np.int32))
    with pytest.raises(ValueError, match="no table can be read"):
        read_table(tmp_path / "other.npz")
