"""Who of those that wait joins next: sentences of like length, and nobody is passed over for ever.

The head of the queue is never passed over. Behind it, jobs whose length is nearest to the head's
come first, because they are encoded together without padding. A few more are taken than there are
slots for: they are encoded with the others, and begin in their order as slots fall free. A job that
was passed over in `MAX_PASSES` turns goes before all that came later, so at most
`MAX_PASSES * (slots + ahead - 1)` of them ever overtake it.

Where several clients wait, each has places in rounds, and earlier rounds go first. Then all this
holds among the jobs of one client, and among those of one round; which of a client's jobs has which
of its places is decided by length as well.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter

from service.scheduling.job import Entry
from service.scheduling.limits import NOBODY

LOOKAHEAD = 128
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
    max_slots_per_client: int | None = None
    """While several clients ask; None: any number."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Slots that each client has already, by name."""

    def free_slots_of(self, client: str) -> float:
        """How many more one of several clients may have; the service's own work may have all."""
        if self.max_slots_per_client is None or client == NOBODY.name:
            return math.inf
        return self.max_slots_per_client - self.held.get(client, 0)


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
    preferred = [head, *due, *like]
    if window[-1].round == 0:
        return preferred
    _deal_rounds(window, preferred)
    return sorted(preferred, key=attrgetter("round"))


def _deal_rounds(window: Sequence[Entry], preferred: Sequence[Entry]) -> None:
    """How many go for each client stays; which of its own they are is what is preferred."""
    rounds: defaultdict[str, list[int]] = defaultdict(list)
    for entry in reversed(window):
        rounds[entry.job.client.name].append(entry.round)
    for entry in preferred:
        entry.round = rounds[entry.job.client.name].pop()


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
    """Count against those behind whom somebody was chosen: of their client, or of their round.

    Whom a client with a smaller share of late overtakes was not passed over.
    """
    joined = set(chosen)
    last_round = chosen[-1].round
    clients: set[str] = set()
    is_round_open = False
    for entry in reversed(window):
        client = entry.job.client.name
        if entry in joined:
            clients.add(client)
            is_round_open |= entry.round == last_round
        elif client in clients or (is_round_open and entry.round == last_round):
            entry.num_passes += 1
