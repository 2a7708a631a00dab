"""Whose turn it is: each client waits in a line of its own, and the lines share what is served.

Work is source tokens times slots. A line's progress is the work that was done for it, divided by
its weight; the line with the least goes first, of several the oldest. Who comes new begins where
the others are on average, which moves on with everything that is served: neither does a newcomer
wait for what was queued before, nor can newcomers, however many, keep others waiting.
(Start-time fair queueing, Goyal et al. 1996, with the virtual time of EEVDF, Stoica et al. 1996.)
"""

import math
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, islice

from service.scheduling.job import Entry
from service.scheduling.limits import Client

ROUND_WORK = 64.0
"""Work, for a weight of 1, within which it does not matter who is first: a few sentences, so that
those of like length can go together. A newcomer finds nobody further behind than that."""


@dataclass(eq=False, slots=True, kw_only=True)
class Line:
    """One client's jobs, in the order in which they came."""

    name: str
    number: int
    weight: float
    progress: float
    """Work that was done for the client, divided by its weight."""
    num_tokens: int = 0
    entries: OrderedDict[Entry, float] = field(default_factory=OrderedDict)
    """With the progress that each of them costs."""

    @property
    def place(self) -> "tuple[float, int, Line]":
        """What lines are sorted by: who has had the least, of several who waits longest."""
        return self.progress, self.number, self


class FairQueue:
    """Jobs that wait, in one line for each client; not safe between threads."""

    def __init__(self) -> None:
        self.num_tokens = 0
        """Source tokens of all that wait."""
        self._num_jobs = 0
        self._numbers = count()
        self._lines: dict[str, Line] = {}
        self._order: list[tuple[float, int, Line]] = []
        self._total_weight = 0.0
        self._progress = 0.0
        # Clients without a line that were given more than their share: they must not gain by
        # leaving. Forgotten as soon as the others have caught up.
        self._ahead: dict[str, float] = {}
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """How many jobs wait."""
        return self._num_jobs

    def __iter__(self) -> Iterator[Entry]:
        """All that wait, client by client."""
        for line in self._lines.values():
            yield from line.entries

    def __contains__(self, entry: Entry) -> bool:
        """Whether a job waits here."""
        line = self._lines.get(entry.job.client.name)
        return line is not None and entry in line.entries

    def line_of(self, client: Client) -> Line | None:
        """What a client has waiting, if anything."""
        return self._lines.get(client.name)

    def share_of(self, line: Line) -> float:
        """The part of all work that a line gets now."""
        return line.weight / self._total_weight

    def add(self, entry: Entry) -> None:
        """Append a job to its client's line."""
        line = self._lines.get(entry.job.client.name) or self._open(entry.job.client)
        line.entries[entry] = entry.num_tokens * entry.num_slots / line.weight
        line.num_tokens += entry.num_tokens
        self.num_tokens += entry.num_tokens
        self._num_jobs += 1

    def remove(self, entry: Entry) -> None:
        """Take out a job that nobody works on: its client's share stays what it was."""
        name = entry.job.client.name
        line = self._lines[name]
        del line.entries[entry]
        line.num_tokens -= entry.num_tokens
        self.num_tokens -= entry.num_tokens
        self._num_jobs -= 1
        if not line.entries:
            self._close(name, line)

    def serve(self, entries: Sequence[Entry]) -> None:
        """Take out jobs that are worked on from now, at the cost of their clients."""
        costs: dict[Line, float] = {}
        for entry in entries:
            line = self._lines[entry.job.client.name]
            costs[line] = costs.get(line, 0.0) + line.entries[entry]
        for line, cost in costs.items():
            self._progress += cost * self.share_of(line)
            self._advance(line, cost)
        for entry in entries:
            self.remove(entry)
        self._set_bounds()

    def window(self, size: int, free_slots: Callable[[str], float] | None = None) -> list[Entry]:
        """About the next `size` jobs, as the clients take turns; tells each its round.

        First comes who has had the least. Within a round, one client follows another.

        Args:
            size: Most jobs.
            free_slots: How many slots a client of this name may take; None: any number.
        """
        lines = [line for _, _, line in self._order[:size]]
        if len(lines) != 1 or free_slots is not None:
            return list(islice(_in_turns(lines, free_slots or _any_number), size))
        window = list(islice(lines[0].entries, size))
        if any(entry.round for entry in window):
            for entry in window:
                entry.round = 0
        return window

    def _open(self, client: Client) -> Line:
        progress = max(self._progress, self._ahead.pop(client.name, 0.0))
        line = Line(
            name=client.name,
            number=next(self._numbers),
            weight=client.weight,
            progress=progress,
        )
        self._lines[client.name] = line
        self._total_weight += line.weight
        insort(self._order, line.place)
        return line

    def _close(self, name: str, line: Line) -> None:
        del self._lines[name]
        self._total_weight -= line.weight
        self._take_from_order(line)
        if not self._lines:
            self._begin_anew()
        elif line.progress > self._progress:
            self._ahead[name] = line.progress
            heappush(self._ends, (line.progress, name))

    def _advance(self, line: Line, cost: float) -> None:
        self._take_from_order(line)
        line.progress += cost
        insort(self._order, line.place)

    def _take_from_order(self, line: Line) -> None:
        del self._order[bisect_left(self._order, line.place)]

    def _begin_anew(self) -> None:
        """Nobody waits for anybody, so nobody is ahead of anybody."""
        self._progress = self._total_weight = 0.0
        self._ahead.clear()
        self._ends.clear()

    def _set_bounds(self) -> None:
        if not self._order:
            return
        least = self._order[0][0]
        self._progress = min(max(self._progress, least), least + ROUND_WORK)
        while self._ends and self._ends[0][0] <= self._progress:
            _, name = heappop(self._ends)
            if self._ahead.get(name, math.inf) <= self._progress:
                del self._ahead[name]


@dataclass(slots=True, kw_only=True)
class _Turn:
    """Where in a line a look ahead has come."""

    progress: float
    rest: Iterator[tuple[Entry, float]]
    free_slots: float
    is_over: bool = False


def _any_number(_name: str) -> float:
    return math.inf


def _in_turns(lines: Iterable[Line], free_slots: Callable[[str], float]) -> Iterator[Entry]:
    turns = [
        _Turn(
            progress=line.progress,
            rest=iter(line.entries.items()),
            free_slots=free_slots(line.name),
        )
        for line in lines
    ]
    for number in count():
        turns = [turn for turn in turns if not turn.is_over]
        if not turns:
            return
        limit = min(turn.progress for turn in turns) + ROUND_WORK
        for turn in turns:
            yield from _until(limit, turn, number)


def _until(limit: float, turn: _Turn, number: int) -> Iterator[Entry]:
    while turn.progress < limit:
        entry, cost = next(turn.rest, (None, 0.0))
        if entry is None or entry.num_slots > turn.free_slots:
            turn.is_over = True
            return
        turn.free_slots -= entry.num_slots
        entry.round = number
        yield entry
        turn.progress += cost
