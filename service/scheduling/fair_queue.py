"""Fair queueing between clients: each has a flow of jobs, and flows share the work by weight.

Work is source tokens times slots. The virtual time of a flow is the work done for it divided by its
weight; the flow with the least goes first, the oldest of equals. A new flow starts at the virtual
time of the queue, which advances with all work: it waits for nothing queued before it, and any
number of new flows cannot delay an old one.
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
"""Work of a round for a weight of 1, a few sentences: within it the order is free, so that
sentences of similar length can be encoded together. No flow is further behind a new one."""


@dataclass(eq=False, slots=True, kw_only=True)
class Flow:
    """One client's jobs, in order of arrival."""

    name: str
    number: int
    """Order of arrival of the flow."""
    weight: float
    virtual_time: float
    """Work done for the client, divided by its weight."""
    num_tokens: int = 0
    entries: OrderedDict[Entry, float] = field(default_factory=OrderedDict)
    """Each with the virtual time that it costs."""

    @property
    def sort_key(self) -> "tuple[float, int, Flow]":
        """Orders flows: least virtual time first, then the oldest."""
        return self.virtual_time, self.number, self


class FairQueue:
    """Waiting jobs, one flow a client; not safe between threads."""

    def __init__(self) -> None:
        self.num_tokens = 0
        """Source tokens of all waiting jobs."""
        self._num_jobs = 0
        self._numbers = count()
        self._flows: dict[str, Flow] = {}
        self._order: list[tuple[float, int, Flow]] = []
        self._total_weight = 0.0
        self._virtual_time = 0.0
        # Virtual times of clients that left ahead of the queue's: leaving must not reset them.
        # Each is dropped once the queue's virtual time reaches it.
        self._left_ahead: dict[str, float] = {}
        self._left_order: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Number of waiting jobs."""
        return self._num_jobs

    def __iter__(self) -> Iterator[Entry]:
        """All waiting jobs, client by client."""
        for flow in self._flows.values():
            yield from flow.entries

    def __contains__(self, entry: Entry) -> bool:
        """Whether a job waits here."""
        flow = self._flows.get(entry.job.client.name)
        return flow is not None and entry in flow.entries

    def flow_of(self, client: Client) -> Flow | None:
        """The waiting jobs of a client, if it has any."""
        return self._flows.get(client.name)

    def share_of(self, flow: Flow) -> float:
        """The part of all work that a flow gets now."""
        return flow.weight / self._total_weight

    def add(self, entry: Entry) -> None:
        """Append a job to its client's flow."""
        flow = self._flows.get(entry.job.client.name) or self._open(entry.job.client)
        flow.entries[entry] = entry.num_tokens * entry.num_slots / flow.weight
        flow.num_tokens += entry.num_tokens
        self.num_tokens += entry.num_tokens
        self._num_jobs += 1

    def remove(self, entry: Entry) -> None:
        """Remove a job without charging its client for it."""
        name = entry.job.client.name
        flow = self._flows[name]
        del flow.entries[entry]
        flow.num_tokens -= entry.num_tokens
        self.num_tokens -= entry.num_tokens
        self._num_jobs -= 1
        if not flow.entries:
            self._close(name, flow)

    def serve(self, entries: Sequence[Entry]) -> None:
        """Remove jobs that a worker starts now, and charge their clients."""
        costs: dict[Flow, float] = {}
        for entry in entries:
            flow = self._flows[entry.job.client.name]
            costs[flow] = costs.get(flow, 0.0) + flow.entries[entry]
        for flow, cost in costs.items():
            self._virtual_time += cost * self.share_of(flow)
            self._charge(flow, cost)
        for entry in entries:
            self.remove(entry)
        self._bound_virtual_time()

    def window(self, size: int, free_slots: Callable[[str], float] | None = None) -> list[Entry]:
        """About the next `size` jobs in fair order; sets the round of each.

        The flow with the least virtual time comes first. Within a round, one flow follows another.

        Args:
            size: Most jobs.
            free_slots: Slots that the client of this name may still take; None: any number.
        """
        flows = [flow for _, _, flow in self._order[:size]]
        if len(flows) != 1 or free_slots is not None:
            return list(islice(_interleaved(flows, free_slots or _any_number), size))
        window = list(islice(flows[0].entries, size))
        if any(entry.round for entry in window):
            for entry in window:
                entry.round = 0
        return window

    def _open(self, client: Client) -> Flow:
        flow = Flow(
            name=client.name,
            number=next(self._numbers),
            weight=client.weight,
            virtual_time=max(self._virtual_time, self._left_ahead.pop(client.name, 0.0)),
        )
        self._flows[client.name] = flow
        self._total_weight += flow.weight
        insort(self._order, flow.sort_key)
        return flow

    def _close(self, name: str, flow: Flow) -> None:
        del self._flows[name]
        self._total_weight -= flow.weight
        self._remove_from_order(flow)
        if not self._flows:
            self._reset()
        elif flow.virtual_time > self._virtual_time:
            self._left_ahead[name] = flow.virtual_time
            heappush(self._left_order, (flow.virtual_time, name))

    def _charge(self, flow: Flow, cost: float) -> None:
        self._remove_from_order(flow)
        flow.virtual_time += cost
        insort(self._order, flow.sort_key)

    def _remove_from_order(self, flow: Flow) -> None:
        del self._order[bisect_left(self._order, flow.sort_key)]

    def _reset(self) -> None:
        """Start from zero: in an empty queue no client is ahead of another."""
        self._virtual_time = self._total_weight = 0.0
        self._left_ahead.clear()
        self._left_order.clear()

    def _bound_virtual_time(self) -> None:
        """Keep the queue's virtual time within a round of the flow that is furthest behind."""
        if not self._order:
            return
        least = self._order[0][0]
        self._virtual_time = min(max(self._virtual_time, least), least + ROUND_WORK)
        while self._left_order and self._left_order[0][0] <= self._virtual_time:
            _, name = heappop(self._left_order)
            if self._left_ahead.get(name, math.inf) <= self._virtual_time:
                del self._left_ahead[name]


@dataclass(slots=True, kw_only=True)
class _Cursor:
    """How far a look ahead has come in a flow."""

    virtual_time: float
    rest: Iterator[tuple[Entry, float]]
    free_slots: float
    is_at_end: bool = False


def _any_number(_name: str) -> float:
    return math.inf


def _interleaved(flows: Iterable[Flow], free_slots: Callable[[str], float]) -> Iterator[Entry]:
    """Jobs of several flows round by round."""
    cursors = [
        _Cursor(
            virtual_time=flow.virtual_time,
            rest=iter(flow.entries.items()),
            free_slots=free_slots(flow.name),
        )
        for flow in flows
    ]
    for number in count():
        cursors = [cursor for cursor in cursors if not cursor.is_at_end]
        if not cursors:
            return
        limit = min(cursor.virtual_time for cursor in cursors) + ROUND_WORK
        for cursor in cursors:
            yield from _round(number, limit, cursor)


def _round(number: int, limit: float, cursor: _Cursor) -> Iterator[Entry]:
    """The jobs of a flow that start before the virtual time `limit`."""
    while cursor.virtual_time < limit:
        entry, cost = next(cursor.rest, (None, 0.0))
        if entry is None or entry.num_slots > cursor.free_slots:
            cursor.is_at_end = True
            return
        cursor.free_slots -= entry.num_slots
        entry.round = number
        yield entry
        cursor.virtual_time += cost
