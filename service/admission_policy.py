"""Who of those that wait joins next: sentences of like length, and nobody is passed over for ever.

The head of the queue is never passed over. Behind it, jobs whose length is nearest to the head's
come first, because they are encoded together without padding. A few more are taken than there are
slots for: they are encoded with the others, and begin in their order as slots fall free. A job that
was passed over in `MAX_PASSES` turns goes before all that came later, so at most
`MAX_PASSES * (slots + ahead - 1)` of them ever overtake it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from service.job import Entry

LOOKAHEAD = 64
"""Jobs that are looked at, from the head on."""
MAX_PASSES = 8
"""Turns in which later jobs may be admitted before an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a worker has to give in one turn."""

    free_slots: int
    max_tokens: int
    """Source tokens to be encoded; the first job is taken even if it has more."""
    num_ahead: int = 0
    """Jobs to be prepared beside those that have slots."""


def choose(waiting: Iterable[Entry], room: Room) -> list[Entry]:
    """Choose who joins, and count against whom.

    Args:
        waiting: In the order in which they came; `num_passes` is counted up here.
        room: What they must fit into.
    """
    window = list(islice(waiting, LOOKAHEAD))
    if not window:
        return []
    chosen = _fitting(_by_preference(window), room)
    if chosen:
        _count_passes(window, chosen)
    return chosen


def _by_preference(window: Sequence[Entry]) -> list[Entry]:
    head, *others = window
    due = [entry for entry in others if _is_due(entry)]
    like = sorted(
        (entry for entry in others if not _is_due(entry)),
        key=lambda entry: abs(entry.num_tokens - head.num_tokens),
    )
    return [head, *due, *like]


def _fitting(preferred: Sequence[Entry], room: Room) -> list[Entry]:
    chosen: list[Entry] = []
    free_slots, num_ahead, free_tokens = room.free_slots, room.num_ahead, room.max_tokens
    for entry in preferred:
        if chosen and entry.num_tokens > free_tokens:
            break
        if entry.num_slots > free_slots:
            if not num_ahead:
                break
            # Nobody behind it may take the slots that it waits for.
            free_slots, num_ahead = 0, num_ahead - 1
        else:
            free_slots -= entry.num_slots
        chosen.append(entry)
        free_tokens -= entry.num_tokens
    return chosen


def _is_due(entry: Entry) -> bool:
    return entry.num_passes >= MAX_PASSES


def _count_passes(window: Sequence[Entry], chosen: Sequence[Entry]) -> None:
    joined = set(chosen)
    behind = len(window)
    while window[behind - 1] not in joined:
        behind -= 1
    for entry in window[:behind]:
        entry.num_passes += entry not in joined
