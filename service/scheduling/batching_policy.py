"""Selects the next batch: bucketed by length, with bounded starvation.

The head of the queue is always selected. Of the jobs behind it, those nearest to it in length come
first, because they are encoded together without padding. A few more jobs are selected than there
are free slots: they are encoded with the others, and start in order as slots become free. A job
that was overtaken `MAX_OVERTAKES` times goes before all later ones, so at most
`MAX_OVERTAKES * (slots + prefilled - 1)` later jobs ever overtake it.

Where several clients or requests wait, each has places in rounds, and earlier rounds go first.
Length then decides among the jobs of one round, and which of a request's jobs takes which of its
places.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter

from service.scheduling.job import FIRST_ROUND, Entry, Round
from service.scheduling.limits import INTERNAL_CLIENT, FlowKey

LOOKAHEAD = 128
"""Jobs considered, from the head on."""
MAX_OVERTAKES = 8
"""Batches in which later jobs may be selected before an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCapacity:
    """Room for new jobs in a worker's batch."""

    free_slots: int
    max_tokens: int
    """Source tokens to encode; the first job is selected even if it has more."""
    max_prefilled: int = 0
    """Jobs to encode beyond those that have slots."""
    max_slots_per_client: int | None = None
    """While several clients are active; None: any number."""
    slots_in_use: Mapping[str, int] = field(default_factory=dict)
    """Slots that each client occupies, by name."""

    max_slots_of_long: int | None = None
    """For all long requests of a client together, while short ones are active; None: any number."""
    slots_of_long_in_use: Mapping[str, int] = field(default_factory=dict)
    """Slots that the long requests of each client occupy, by its name."""
    held_back: Collection[FlowKey] = ()
    """Requests of which no job may join."""

    @property
    def bounds_requests(self) -> bool:
        """Whether some requests may take less than others."""
        return self.max_slots_of_long is not None or bool(self.held_back)

    def free_slots_of(self, client: str) -> float:
        """Slots that a client may still take; the service's own jobs may take all."""
        if self.max_slots_per_client is None or client == INTERNAL_CLIENT.name:
            return math.inf
        return self.max_slots_per_client - self.slots_in_use.get(client, 0)

    def free_slots_of_long(self, client: str) -> float:
        """Slots that the long requests of a client may still take, together."""
        if self.max_slots_of_long is None or client == INTERNAL_CLIENT.name:
            return math.inf
        return self.max_slots_of_long - self.slots_of_long_in_use.get(client, 0)


UNBOUNDED = BatchCapacity(free_slots=0, max_tokens=0)
"""Says nothing about clients and requests."""


def select_batch(waiting: Iterable[Entry], capacity: BatchCapacity) -> list[Entry]:
    """Select the jobs that join a batch, and count the jobs that they overtake.

    Args:
        waiting: In order of arrival; `num_overtakes` is incremented here.
        capacity: Bounds of the selection.
    """
    window = list(islice(waiting, LOOKAHEAD))
    if not window:
        return []
    selected = _fitting(_by_preference(window), capacity)
    if selected:
        _count_overtakes(window, selected)
    return selected


def _by_preference(window: Sequence[Entry]) -> list[Entry]:
    head, *others = window
    due = [entry for entry in others if _is_due(entry)]
    by_length = sorted(
        (entry for entry in others if not _is_due(entry)),
        key=lambda entry: abs(entry.num_tokens - head.num_tokens),
    )
    preferred = [head, *due, *by_length]
    if all(entry.round is FIRST_ROUND for entry in window):
        return preferred
    _reassign_rounds(window, preferred)
    return sorted(preferred, key=attrgetter("round"))


def _reassign_rounds(window: Sequence[Entry], preferred: Sequence[Entry]) -> None:
    """Give each request's earliest rounds to its preferred jobs; its places stay the same."""
    rounds: defaultdict[FlowKey, list[Round]] = defaultdict(list)
    for entry in reversed(window):
        rounds[entry.flow].append(entry.round)
    for entry in preferred:
        entry.round = rounds[entry.flow].pop()


def _fitting(preferred: Sequence[Entry], capacity: BatchCapacity) -> list[Entry]:
    selected: list[Entry] = []
    free_slots, max_prefilled = capacity.free_slots, capacity.max_prefilled
    free_tokens = capacity.max_tokens
    for entry in preferred:
        if selected and entry.num_tokens > free_tokens:
            break
        if entry.num_slots > free_slots:
            if not max_prefilled:
                break
            # The slots stay reserved for this job: later ones are only encoded.
            free_slots, max_prefilled = 0, max_prefilled - 1
        else:
            free_slots -= entry.num_slots
        selected.append(entry)
        free_tokens -= entry.num_tokens
    return selected


def _is_due(entry: Entry) -> bool:
    return entry.num_overtakes >= MAX_OVERTAKES


def _count_overtakes(window: Sequence[Entry], selected: Sequence[Entry]) -> None:
    """Count against each job ahead of a selected one of the same request or of the same round.

    A job that another request overtakes by its smaller share of late is not counted as overtaken.
    """
    joined = set(selected)
    last_round = selected[-1].round
    flows: set[FlowKey] = set()
    is_round_open = False
    for entry in reversed(window):
        flow = entry.flow
        if entry in joined:
            flows.add(flow)
            is_round_open |= entry.round == last_round
        elif flow in flows or (is_round_open and entry.round == last_round):
            entry.num_overtakes += 1
