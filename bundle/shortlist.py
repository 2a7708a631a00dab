"""The table of a vocabulary shortlist: likely target pieces of each source piece."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Manifest

_ARRAYS = ("common", "offsets", "targets")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistTable:
    """Target pieces as ids; rows are compressed: source piece `i` owns one slice of `targets`."""

    common: NDArray[np.int32]
    """Pieces that every sentence may use, ascending, [num_common]."""
    offsets: NDArray[np.int32]
    """Row `i` is `targets[offsets[i] : offsets[i + 1]]`, [source vocab + 1]."""
    targets: NDArray[np.int32]
    """Likeliest first, none of them common, [entries]."""


def write_table(path: Path, table: ShortlistTable) -> None:
    """Write `shortlist.npz`."""
    np.savez_compressed(path, **{name: getattr(table, name) for name in _ARRAYS})


def read_table(path: Path) -> ShortlistTable:
    """Read `shortlist.npz`; `table_faults` says whether it can be used.

    Raises:
        ValueError: The file is no such table.
    """
    try:
        with path.open("rb") as file:
            return load_table(file)
    except OSError as error:
        raise ValueError(f"no table can be read: {error}") from error


def load_table(file: BinaryIO) -> ShortlistTable:
    """Read the bytes of `shortlist.npz`.

    Raises:
        ValueError: The file is no such table.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            table = ShortlistTable(**{name: arrays[name] for name in _ARRAYS})
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"no table can be read: {error}") from error
    for name in _ARRAYS:
        values = getattr(table, name)
        if values.dtype != np.int32 or values.ndim != 1:
            raise ValueError(f"{name} is {values.dtype} with {values.ndim} axes, not int32 with 1")
    return table


def table_faults(table: ShortlistTable, manifest: Manifest, source_vocab_size: int) -> list[str]:
    """All faults of a table for a bundle."""
    assert manifest.shortlist is not None
    vocab_size = manifest.architecture.vocab_size
    faults = []
    if len(table.common) != manifest.shortlist.num_common:
        faults.append(
            f"{len(table.common)} common pieces, the manifest says {manifest.shortlist.num_common}"
        )
    if manifest.special_ids.eos not in table.common:
        faults.append("the end token is not common: no sentence could end")
    if (np.diff(table.common) <= 0).any():
        faults.append("common pieces are not in ascending order")
    if len(table.offsets) != source_vocab_size + 1 or not _is_cut(table.offsets, table.targets):
        faults.append(f"offsets do not cut targets into {source_vocab_size} rows")
    for name in ("common", "targets"):
        ids = getattr(table, name)
        if ids.size and not 0 <= ids.min() <= ids.max() < vocab_size:
            faults.append(f"{name} has ids outside the vocabulary of {vocab_size}")
    return faults


def _is_cut(offsets: NDArray[np.int32], targets: NDArray[np.int32]) -> bool:
    ends_fit = bool(offsets[0] == 0 and offsets[-1] == len(targets))
    return ends_fit and bool((np.diff(offsets) >= 0).all())
