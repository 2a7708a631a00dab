"""Units in an SQLite file, for several processes on one machine; knows no event loop."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from service.errors import MemoryShareError
from service.text.similarity import similarity
from service.translation.memory.schema import open_memory
from service.translation.memory.unit import (
    Space,
    Unit,
    digest_of,
    normalised,
    sketch,
)
from service.translation.values import Suggestion

MAX_FUZZY_CHARS = 500
"""A longer sentence has no suggestions."""
MIN_SCORE = 0.75
MAX_SUGGESTIONS = 3
_PAGE_UNITS = 500
_MAX_OF_A_GRAM = 500
"""Units that are read for a gram, latest first: a common one says little."""
_MAX_COMPARED = 20
"""Units whose sources are compared with a sentence: those with most grams in common."""
_STAMP_S = 3_600.0
_FIND = "SELECT id, target, used_s FROM units WHERE space = ? AND digest = ?"
_PUT = """\
INSERT INTO units (space, digest, source, target, used_s) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (space, digest) DO UPDATE SET target = excluded.target, used_s = excluded.used_s
RETURNING id
"""
_WITH_GRAM = """\
SELECT unit FROM grams WHERE space = ? AND gram = ? ORDER BY unit DESC LIMIT ?
"""
_OLDEST = """\
SELECT units.id, space, units.source FROM units JOIN spaces ON spaces.id = space WHERE owner = ?
ORDER BY used_s, units.id LIMIT ?
"""
_OF_TEXT = "SELECT id, space, source FROM units WHERE space = ? AND digest = ?"
_PAGE = """\
SELECT id, source, target FROM units NOT INDEXED WHERE space = ? AND id > ? ORDER BY id LIMIT ?
"""
_SIZES = """\
SELECT coalesce(sum(size_bytes) FILTER (WHERE owner = ?1), 0),
    coalesce(sum(size_bytes) FILTER (WHERE owner != ?1), 0) FROM spaces
"""
_NUM_UNITS = "SELECT count(*) FROM units WHERE space IN (SELECT id FROM spaces WHERE owner = ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of units that were stored."""

    num_new: int = 0
    num_replaced: int = 0
    """Their source was there with another translation."""
    num_dropped: int = 0
    """Those that were used least recently, because their owner has too many."""

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(
            num_new=self.num_new + other.num_new,
            num_replaced=self.num_replaced + other.num_replaced,
            num_dropped=self.num_dropped + other.num_dropped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A unit whose source equals a sentence."""

    id: int
    target: str
    used_s: float
    """Wall-clock time of its last use, to the hour."""


def is_due(found: Found, now_s: float) -> bool:
    """Whether a use of a unit is to be marked: not within an hour, reading should seldom write."""
    return found.used_s < now_s - _STAMP_S


class MemoryFile:
    """An open file; each instance is used by one thread at a time.

    Every method raises `sqlite3.Error` if the file does not answer within its time-out.
    """

    def __init__(self, path: Path, timeout_s: float, max_bytes: int | None = None) -> None:
        """Opens the file, or creates it.

        Args:
            path: The file.
            timeout_s: Time to wait for another process.
            max_bytes: Size beyond which this instance lets the file not grow.

        Raises:
            StartupError: It cannot be written, or is no such file.
        """
        self._file = open_memory(path, timeout_s)
        self._max_bytes = max_bytes
        if max_bytes is not None:
            self._limit_size(max_bytes)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def find(self, space: Space, texts: Sequence[str]) -> list[Found | None]:
        """The unit of each text; None where there is none."""
        space_id = self._space_id(space)
        if space_id is None:
            return [None] * len(texts)
        return [self._found(space_id, text) for text in texts]

    def suggest(
        self, space: Space, text: str, is_over: Callable[[], bool] = lambda: False
    ) -> list[Suggestion]:
        """Units whose sources resemble a text but do not equal it, most similar first.

        Args:
            space: Where they are looked for.
            text: A sentence.
            is_over: Whether the time for an answer is over; then the answer is empty.
        """
        space_id, wanted = self._space_id(space), normalised(text)
        if space_id is None or not wanted or len(wanted) > MAX_FUZZY_CHARS:
            return []
        found = []
        for source, target in self._candidates(space_id, wanted):
            if is_over():
                return []
            score = _score(wanted, normalised(source))
            if MIN_SCORE <= score < 1.0:
                found.append(Suggestion(source=source, translation=target, score=round(score, 4)))
        return sorted(found, key=lambda each: -each.score)[:MAX_SUGGESTIONS]

    def mark_used(self, found: Iterable[Found], now_s: float) -> None:
        """Marks units as used now."""
        with self._transaction():
            rows = [(now_s, each.id) for each in found]
            self._file.executemany("UPDATE units SET used_s = ? WHERE id = ?", rows)

    def put(
        self,
        space: Space,
        units: Iterable[Unit],
        now_s: float,
        max_units: int,
        max_share: float | None = None,
    ) -> Stored:
        """Stores units in one transaction; a source has one translation, the latest.

        Args:
            space: Where.
            units: Any number.
            now_s: Wall-clock time.
            max_units: Most units of the owner, in all its spaces.
            max_share: What the owner may have of the bytes that the others leave; None: all.

        Raises:
            MemoryShareError: The owner would have more than that; nothing is stored.
        """
        with self._transaction():
            before, _ = self._sizes(space.owner)
            space_id = self._made_space_id(space)
            outcomes = Counter(self._put(space_id, unit, now_s) for unit in units)
            num_dropped = self._trim(space.owner, max_units)
            if max_share is not None and self._max_bytes is not None:
                self._check_share(space.owner, before, max_share * self._max_bytes, max_share)
        return Stored(
            num_new=outcomes["new"], num_replaced=outcomes["replaced"], num_dropped=num_dropped
        )

    def units(self, space: Space) -> Iterator[Unit]:
        """All units of a space, oldest first."""
        after = 0
        while page := self.page(space, after, _PAGE_UNITS):
            yield from (unit for _, unit in page)
            after = page[-1][0]

    def page(self, space: Space, after: int, count: int) -> list[tuple[int, Unit]]:
        """Some units of a space by their ids, which rise.

        Args:
            space: Whose.
            after: They come behind this id.
            count: Most of them.
        """
        rows = self._file.execute(_PAGE, (self._space_id(space), after, count)).fetchall()
        return [(unit, Unit(source=source, target=target)) for unit, source, target in rows]

    def spaces(self, owner: str | None = None) -> list[tuple[Space, int]]:
        """The spaces that have units, of one owner or of all, with the number of units."""
        query = (
            "SELECT owner, spaces.source, spaces.target, count(*) FROM spaces JOIN units "
            "ON space = spaces.id WHERE ?1 IS NULL OR owner = ?1 "
            "GROUP BY spaces.id ORDER BY owner, spaces.source, spaces.target"
        )
        rows = self._file.execute(query, (owner,)).fetchall()
        return [
            (Space(owner=name, source=source, target=target), count)
            for name, source, target, count in rows
        ]

    def clear(self, space: Space) -> int:
        """Removes all units of a space; returns their number."""
        with self._transaction():
            space_id = self._space_id(space)
            self._file.execute("DELETE FROM grams WHERE space = ?", (space_id,))
            return self._file.execute("DELETE FROM units WHERE space = ?", (space_id,)).rowcount

    def remove(self, space: Space, text: str) -> int:
        """Removes the unit of a text; returns how many there were, 0 or 1."""
        with self._transaction():
            row = self._space_id(space), digest_of(normalised(text))
            return self._remove(self._file.execute(_OF_TEXT, row).fetchall())

    def _found(self, space_id: int, text: str) -> Found | None:
        row = self._file.execute(_FIND, (space_id, digest_of(normalised(text)))).fetchone()
        return None if row is None else Found(id=row[0], target=row[1], used_s=row[2])

    def _candidates(self, space_id: int, wanted: str) -> list[tuple[str, str]]:
        """Sources and targets that have most grams with a text in common, rare ones above all."""
        shared: dict[int, float] = {}
        for gram in sketch(wanted):
            row = space_id, gram, _MAX_OF_A_GRAM
            units = self._file.execute(_WITH_GRAM, row).fetchall()
            for (unit,) in units:
                shared[unit] = shared.get(unit, 0.0) + 1 / len(units)
        query = "SELECT source, target FROM units WHERE id = ?"
        found = (
            self._file.execute(query, (unit,)).fetchone()
            for unit in nlargest(_MAX_COMPARED, shared, key=shared.__getitem__)
        )
        return [row for row in found if row is not None]

    def _put(self, space_id: int, unit: Unit, now_s: float) -> str:
        source = normalised(unit.source)
        digest = digest_of(source)
        before = self._file.execute(_FIND, (space_id, digest)).fetchone()
        row = space_id, digest, unit.source, unit.target, now_s
        ((unit_id,),) = self._file.execute(_PUT, row).fetchall()
        if before is not None:
            return "same" if before[1] == unit.target else "replaced"
        self._file.executemany(
            "INSERT INTO grams VALUES (?, ?, ?)",
            [(space_id, gram, unit_id) for gram in sketch(source)],
        )
        return "new"

    def _sizes(self, owner: str) -> tuple[int, int]:
        """Bytes of the units of an owner, and of all others."""
        own, others = self._file.execute(_SIZES, (owner,)).fetchone()
        return own, others

    def _check_share(self, owner: str, before: int, max_bytes: float, max_share: float) -> None:
        """Checks that an owner that has grown does not have too much.

        Raises:
            MemoryShareError: It has.
        """
        own, others = self._sizes(owner)
        limit = max(0, int(max_bytes - max_share * others))
        if own > max(before, limit):
            raise MemoryShareError(
                f"the sentences of this key would have {own:,} bytes in the translation memory; "
                f"the limit is {limit:,}, {max_share:g} of what other keys leave: "
                "remove sentences, or send fewer"
            )

    def _trim(self, owner: str, max_units: int) -> int:
        """Removes the units of an owner beyond a number, least recently used first."""
        (count,) = self._file.execute(_NUM_UNITS, (owner,)).fetchone()
        if count <= max_units:
            return 0
        return self._remove(self._file.execute(_OLDEST, (owner, count - max_units)).fetchall())

    def _remove(self, units: Sequence[tuple[int, int, str]]) -> int:
        """Removes units, each by its id, its space and its source; returns their number."""
        for unit_id, space_id, source in units:
            self._file.execute("DELETE FROM units WHERE id = ?", (unit_id,))
            self._file.executemany(
                "DELETE FROM grams WHERE space = ? AND gram = ? AND unit = ?",
                [(space_id, gram, unit_id) for gram in sketch(normalised(source))],
            )
        return len(units)

    def _space_id(self, space: Space) -> int | None:
        query = "SELECT id FROM spaces WHERE owner = ? AND source = ? AND target = ?"
        row = self._file.execute(query, (space.owner, space.source, space.target)).fetchone()
        return None if row is None else int(row[0])

    def _made_space_id(self, space: Space) -> int:
        row = space.owner, space.source, space.target
        query = "INSERT OR IGNORE INTO spaces (owner, source, target) VALUES (?, ?, ?)"
        self._file.execute(query, row)
        found = self._space_id(space)
        assert found is not None, "it was just made"
        return found

    def _limit_size(self, max_bytes: int) -> None:
        (page_bytes,) = self._file.execute("PRAGMA page_size").fetchone()
        self._file.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_bytes)}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._file:
            self._file.execute("BEGIN IMMEDIATE")
            yield


def _score(first: str, second: str) -> float:
    """Their similarity, or 0 where their lengths alone say that it is low."""
    shorter, longer = sorted((len(first), len(second)))
    return similarity(first, second) if shorter >= MIN_SCORE * longer else 0.0
