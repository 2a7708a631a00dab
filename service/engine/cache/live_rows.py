"""Which cache rows are in use, and the moves that follow the hypotheses."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.cache.slot_cache import SlotCache
from service.engine.search.options import MAX_BEAM_SIZE


class RowPlan(NamedTuple):
    """How the rows of one sentence follow its hypotheses; all numbers are places in its beam."""

    takes: tuple[int, ...]
    """For every survivor the place before the step whose row it takes, or its parent's place where
    none is left and it needs a new row."""
    copies: tuple[tuple[int, int], ...]
    """Places before the step: parent, and childless place whose row becomes a copy of it."""
    forks: tuple[tuple[int, int], ...]
    """Place of the parent before the step, and of the survivor whose new row becomes a copy."""
    released: tuple[int, ...]
    """Places before the step whose rows are no longer needed."""


SAME_PLACES = tuple(range(MAX_BEAM_SIZE))
"""Parents of a beam of which every hypothesis has one survivor, in the same order."""


class LiveRows:
    """Gives rows to hypotheses and takes them back.

    Rows that are released are gaps until the next step, and new rows fill gaps first: where one
    sentence follows another, no row moves.
    """

    def __init__(self, cache: SlotCache) -> None:
        """Share the cache with the decoder."""
        self._cache = cache
        self._gaps: list[int] = []

    @property
    def num_rows(self) -> int:
        """Rows that belong to a sentence."""
        return self._cache.num_live - len(self._gaps)

    def take(self) -> int:
        """A row with stale content."""
        return self._gaps.pop() if self._gaps else self._cache.new_row()

    def release(self, rows: Iterable[int]) -> None:
        """Take rows back."""
        released = list(rows)
        self._gaps += released
        self._cache.forget(released)

    def follow(
        self,
        rows: NDArray[np.int64],
        num_before: NDArray[np.int64],
        parents: NDArray[np.int64],
        num_after: NDArray[np.int64],
    ) -> None:
        """Give every survivor of a step a row with its parent's cache, with few copies.

        Args:
            rows: Row of each place, int64 [sentences, beam], updated in place; places beyond the
                survivors get a row of the sentence that is in use, or stay where none is.
            num_before: Hypotheses of each sentence before the step, int64 [sentences].
            parents: Place of each survivor's parent, int64 [sentences, beam].
            num_after: Survivors, int64 [sentences].
        """
        copies: list[tuple[int, int]] = []
        forks: list[tuple[int, int]] = []
        before = rows.tolist()
        counts = zip(num_before.tolist(), num_after.tolist(), strict=True)
        for index, (places, (had, has)) in enumerate(zip(parents.tolist(), counts, strict=True)):
            survivors = tuple(places[:has])
            if survivors != SAME_PLACES[:had]:
                plan = row_plan(survivors, had)
                rows[index] = self._carry_out(plan, before[index], copies, forks)
        if copies:
            self._cache.copy_pasts(*map(list, zip(*copies, strict=True)))
        if forks:
            self._cache.copy_rows(*map(list, zip(*forks, strict=True)))

    def _carry_out(
        self,
        plan: RowPlan,
        before: list[int],
        copies: list[tuple[int, int]],
        forks: list[tuple[int, int]],
    ) -> list[int]:
        """The new row of each place; notes which rows to copy, origin first."""
        copies += [(before[parent], before[place]) for parent, place in plan.copies]
        if plan.released:
            self.release(before[place] for place in plan.released)
        rows = [before[place] for place in plan.takes]
        for parent, survivor in plan.forks:
            rows[survivor] = self.take()
            forks.append((before[parent], rows[survivor]))
        return rows + [rows[0] if rows else before[0]] * (len(before) - len(rows))

    def close_gaps(self) -> list[tuple[int, int]]:
        """Move rows from the end into gaps; origin and destination of each row that moved."""
        if not self._gaps:
            return []
        moves = self._cache.release_rows(self._gaps)
        self._gaps.clear()
        return moves

    def clear(self) -> None:
        """Take all rows back."""
        self._cache.clear()
        self._gaps.clear()


@lru_cache(maxsize=4096)
def row_plan(parents: tuple[int, ...], num_before: int) -> RowPlan:
    """Decide which rows the survivors of a step take.

    A parent's first child stays in its row. Other children take rows of parents without children,
    which are no longer read, or new rows while the beam still widens.

    Args:
        parents: Place of each survivor's parent.
        num_before: Hypotheses before the step.
    """
    childless = [place for place in range(num_before) if place not in parents]
    takes: list[int] = []
    copies: list[tuple[int, int]] = []
    forks: list[tuple[int, int]] = []
    for survivor, parent in enumerate(parents):
        place = parent
        if parent in parents[:survivor]:
            if childless:
                place = childless.pop()
                copies.append((parent, place))
            else:
                forks.append((parent, survivor))
        takes.append(place)
    return RowPlan(tuple(takes), tuple(copies), tuple(forks), tuple(childless))
