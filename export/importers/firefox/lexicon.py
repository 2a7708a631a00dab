"""The lexicon of a Firefox model, `lex.*.bin`: likely target pieces of every source piece.

The original takes the pieces of all sentences of a batch together; here every sentence has its own,
so that no translation depends on its batch.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Shortlist
from bundle.shortlist import ShortlistTable
from export.errors import ExportError
from export.importers.files.marian_binary import read_unpacked
from export.lexicon.shortlist import ShortlistPlan

NUM_COMMON = 512
NUM_OWN = 1024
MAX_SOURCE_TOKENS = 64
"""Longer sources choose from the whole vocabulary."""
MAGIC = 0xF11A48D5013417F5
_HEAD = struct.Struct("<6Q")


def read_lexicon(path: Path, num_source: int, num_target: int, end: int) -> ShortlistPlan | None:
    """A shortlist of the lexicon's pieces.

    Args:
        path: The file.
        num_source: Pieces of the source.
        num_target: Pieces of the target.
        end: End token, which every sentence may use.

    Returns:
        None where the vocabulary is too small to be worth shortening.

    Raises:
        ExportError: It is no lexicon, is cut short, or belongs to another vocabulary.
    """
    num_first, offsets, targets = _parse(path)
    if len(offsets) - 1 != num_source:
        raise ExportError(
            f"{path} has {len(offsets) - 1} source pieces, the model {num_source}: it belongs to "
            "another model"
        )
    if num_first > num_target or int(targets.max(initial=0)) >= num_target:
        raise ExportError(
            f"{path} names target pieces that the model's {num_target} do not have: it belongs to "
            "another model"
        )
    if num_target <= NUM_COMMON + NUM_OWN:
        return None
    counts = np.bincount(targets, minlength=num_target)
    common = _common(counts, num_first, end)
    return ShortlistPlan(
        table=_table(offsets, targets, common, num_target),
        report=Shortlist(
            num_common=NUM_COMMON,
            num_own=NUM_OWN,
            is_ranked=False,
            max_source_tokens=MAX_SOURCE_TOKENS,
        ),
    )


def _common(counts: NDArray[np.int64], num_first: int, end: int) -> NDArray[np.int32]:
    """The first pieces, which are the most frequent, then those that most pieces suggest."""
    ids = np.arange(len(counts))
    order = np.lexsort((ids, -counts, ids >= num_first, ids != end))
    return np.sort(order[:NUM_COMMON]).astype(np.int32)


def _table(
    offsets: NDArray[np.int64],
    targets: NDArray[np.int64],
    common: NDArray[np.int32],
    num_target: int,
) -> ShortlistTable:
    """Rows without common pieces; within a row their order says nothing."""
    sources = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    is_rare = np.ones(num_target, dtype=bool)
    is_rare[common] = False
    is_kept = is_rare[targets]
    sources, targets = sources[is_kept], targets[is_kept]
    lengths = np.bincount(sources, minlength=len(offsets) - 1)
    # A row for the start token, which no source has.
    cuts = np.concatenate([[0], np.cumsum([*lengths, 0])])
    return ShortlistTable(
        common=common,
        offsets=cuts.astype(np.int32),
        targets=targets.astype(np.int32),
    )


def _parse(path: Path) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Number of common pieces, offsets of the rows and their target pieces."""
    content = read_unpacked(path)
    if len(content) < _HEAD.size or _HEAD.unpack_from(content)[0] != MAGIC:
        raise ExportError(f"{path} is no lexicon of a Firefox model in its binary form")
    _, _, num_first, _, num_offsets, num_targets = _HEAD.unpack_from(content)
    if _HEAD.size + 8 * num_offsets + 4 * num_targets != len(content) or not num_offsets:
        raise ExportError(
            f"{path} cannot be read, it may be cut short: its header speaks of {num_offsets} rows "
            f"and {num_targets} pieces, which {len(content)} bytes do not hold"
        )
    begin = _HEAD.size + 8 * num_offsets
    offsets = np.frombuffer(content, "<u8", num_offsets, _HEAD.size)
    targets = np.frombuffer(content, "<u4", num_targets, begin)
    is_cut = offsets[0] == 0 and offsets[-1] == num_targets and (offsets[1:] >= offsets[:-1]).all()
    if not is_cut:
        raise ExportError(f"{path} cannot be read: its rows do not follow each other")
    return num_first, offsets.astype(np.int64), targets.astype(np.int64)
