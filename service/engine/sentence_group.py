"""Sentences of one beam size: their search, their cache rows, and where each of them stands."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.engine.search.beam import BeamSearch
from service.engine.search.greedy import GreedySearch
from service.engine.search.options import DecodeOptions

SearchT = TypeVar("SearchT", GreedySearch, BeamSearch)


@dataclass(slots=True, kw_only=True)
class Sentence:
    """A live sentence."""

    handle: Hashable
    group: "SentenceGroup[GreedySearch] | SentenceGroup[BeamSearch]"
    index: int
    """Its place in the search and in the rows of its group."""
    has_shortlist: bool

    @property
    def num_slots(self) -> int:
        """Slots that it has reserved."""
        return self.group.beam_size


class SentenceGroup(Generic[SearchT]):
    """Sentence `i` is element `i` of the search and of the rows; there are no gaps."""

    def __init__(self, search: SearchT, num_sentences: int) -> None:
        """Wrap an empty search for at most `num_sentences`."""
        self.search: SearchT = search
        self.beam_size: int = search.beam_size
        self.sentences: list[Sentence] = []
        self._rows = np.zeros((num_sentences, self.beam_size), dtype=np.int64)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Cache row of each hypothesis, int64 [sentences, beam]; beyond the live ones any row."""
        return self._rows[: len(self.sentences)]

    def add(
        self, handle: Hashable, options: DecodeOptions, row: int, has_shortlist: bool
    ) -> Sentence:
        """Begin a sentence in one row."""
        index = self.search.begin(options)
        self._rows[index] = row
        sentence = Sentence(handle=handle, group=self, index=index, has_shortlist=has_shortlist)
        self.sentences.append(sentence)
        return sentence

    def remove(self, index: int) -> list[int]:
        """Remove a sentence; the last one takes its index.

        Returns:
            The rows that it still held.
        """
        held: list[int] = self._rows[index, : self.search.num_live[index]].tolist()
        self.search.remove(index)
        self._rows[index] = self._rows[len(self.sentences) - 1]
        last = self.sentences.pop()
        if last.index != index:
            self.sentences[index] = last
            last.index = index
        return held

    def move_rows(self, moved: NDArray[np.int64]) -> None:
        """Follow rows to where they have moved: the new row of every row, int64 [slots]."""
        self.rows[:] = moved.take(self.rows)

    def clear(self) -> None:
        """Remove all sentences."""
        self.search.clear()
        self.sentences.clear()
