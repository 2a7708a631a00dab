"""Fair queueing at two levels: clients take turns, and inside a client its requests do.

Each client has a flow of jobs, and so has each of its requests. Flows of one level share the work
by weight; requests weigh the same. Work is source tokens times slots. The virtual time of a flow is
the work done for it divided by its weight; the flow with the least goes first, the oldest of
equals. A new flow starts at the virtual time of its level, which advances with all work: it waits
for nothing queued before it, and any number of new flows cannot delay an old one.
(Start-time fair queueing, Goyal et al. 1996, with the virtual time of EEVDF, Stoica et al. 1996;
levels as in H-PFQ, Bennett and Zhang 1996.)
"""

import math
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import chain, count, islice
from typing import Generic, TypeVar

from service.scheduling.batching_policy import UNBOUNDED, BatchCapacity
from service.scheduling.job import FIRST_ROUND, Entry
from service.scheduling.limits import Client, Request

ROUND_WORK = 64.0
"""Work of a round for a weight of 1, a few sentences: within it the order is free, so that
sentences of similar length can be encoded together. No flow is further behind a new one."""

KeyT = TypeVar("KeyT", bound=Hashable)
FlowT = TypeVar("FlowT", bound="Flow")


@dataclass(eq=False, slots=True, kw_only=True)
class Flow:
    """What takes turns with others of its level."""

    number: int
    """Order of arrival of the flow."""
    weight: float
    virtual_time: float
    """Work done for the flow, divided by its weight."""

    @property
    def sort_key(self) -> "tuple[float, int, Flow]":
        """Orders flows: least virtual time first, then the oldest."""
        return self.virtual_time, self.number, self


class Turns(Generic[KeyT, FlowT]):
    """The flows of one level, by key and in the order of their turns; not safe between threads."""

    def __init__(self) -> None:
        self.flows: dict[KeyT, FlowT] = {}
        self.total_weight = 0.0
        self._numbers = count()
        self._order: list[tuple[float, int, FlowT]] = []
        self._virtual_time = 0.0
        # Virtual times of flows that left ahead of the level's: leaving must not reset them. Each
        # is dropped once the virtual time of the level reaches it.
        self._left_ahead: dict[KeyT, float] = {}
        self._left_order: list[tuple[float, int, KeyT]] = []

    def __len__(self) -> int:
        """Number of flows."""
        return len(self.flows)

    def __iter__(self) -> Iterator[FlowT]:
        """The flows, that first whose turn it is; not to be changed meanwhile."""
        return (flow for _, _, flow in self._order)

    def open(self, key: KeyT, create: Callable[[int, float], FlowT]) -> FlowT:
        """Add a flow, which `create` makes of its number and its virtual time."""
        start = max(self._virtual_time, self._left_ahead.pop(key, 0.0))
        flow = create(next(self._numbers), start)
        self.flows[key] = flow
        self.total_weight += flow.weight
        self._insert(flow)
        return flow

    def close(self, key: KeyT) -> None:
        """Remove a flow that has no jobs any more."""
        flow = self.flows.pop(key)
        self.total_weight -= flow.weight
        self._remove(flow)
        if not self.flows:
            self._reset()
        elif flow.virtual_time > self._virtual_time:
            self._left_ahead[key] = flow.virtual_time
            heappush(self._left_order, (flow.virtual_time, flow.number, key))

    def charge(self, flow: FlowT, work: float) -> None:
        """Count work that is done for a flow now."""
        cost = work / flow.weight
        self._virtual_time += cost * flow.weight / self.total_weight
        self._remove(flow)
        flow.virtual_time += cost
        self._insert(flow)

    def bound_virtual_time(self) -> None:
        """Keep the level's virtual time within a round of the flow that is furthest behind."""
        if not self._order:
            return
        least = self._order[0][0]
        self._virtual_time = min(max(self._virtual_time, least), least + ROUND_WORK)
        while self._left_order and self._left_order[0][0] <= self._virtual_time:
            _, _, key = heappop(self._left_order)
            if self._left_ahead.get(key, math.inf) <= self._virtual_time:
                del self._left_ahead[key]

    def _insert(self, flow: FlowT) -> None:
        insort(self._order, (flow.virtual_time, flow.number, flow))

    def _remove(self, flow: FlowT) -> None:
        del self._order[bisect_left(self._order, flow.sort_key)]

    def _reset(self) -> None:
        """Start from zero: where no job waits no flow is ahead of another."""
        self._virtual_time = self.total_weight = 0.0
        self._left_ahead.clear()
        self._left_order.clear()


@dataclass(eq=False, slots=True, kw_only=True)
class RequestFlow(Flow):
    """The jobs of one request, in order of arrival."""

    request: Request
    entries: OrderedDict[Entry, None] = field(default_factory=OrderedDict)


@dataclass(eq=False, slots=True, kw_only=True)
class ClientFlow(Flow):
    """The jobs of one client, request by request."""

    name: str
    requests: Turns[Request, RequestFlow] = field(default_factory=Turns)
    num_jobs: int = 0
    num_tokens: int = 0

    @property
    def entries(self) -> Iterator[Entry]:
        """All of them, request by request."""
        return chain.from_iterable(flow.entries for flow in self.requests.flows.values())


class FairQueue:
    """Waiting jobs, a flow for each client and one for each of its requests; not thread-safe."""

    def __init__(self) -> None:
        self.num_tokens = 0
        """Source tokens of all waiting jobs."""
        self._num_jobs = 0
        self._clients: Turns[str, ClientFlow] = Turns()

    def __len__(self) -> int:
        """Number of waiting jobs."""
        return self._num_jobs

    def __iter__(self) -> Iterator[Entry]:
        """All waiting jobs, client by client."""
        for flow in self._clients.flows.values():
            yield from flow.entries

    def __contains__(self, entry: Entry) -> bool:
        """Whether a job waits here."""
        flow = self.flow_of(entry.job.client)
        request = flow and flow.requests.flows.get(entry.job.request)
        return request is not None and entry in request.entries

    def flow_of(self, client: Client) -> ClientFlow | None:
        """The waiting jobs of a client, if it has any."""
        return self._clients.flows.get(client.name)

    def share_of(self, flow: ClientFlow) -> float:
        """The part of all work that a client gets now."""
        return flow.weight / self._clients.total_weight

    def add(self, entry: Entry) -> None:
        """Append a job to the flow of its request."""
        flow = self.flow_of(entry.job.client) or self._open(entry.job.client)
        request = entry.job.request
        (flow.requests.flows.get(request) or _open(flow, request)).entries[entry] = None
        flow.num_jobs += 1
        flow.num_tokens += entry.num_tokens
        self.num_tokens += entry.num_tokens
        self._num_jobs += 1

    def remove(self, entry: Entry) -> None:
        """Remove a job without charging its flows for it."""
        flow = self._clients.flows[entry.job.client.name]
        request = flow.requests.flows[entry.job.request]
        del request.entries[entry]
        flow.num_jobs -= 1
        flow.num_tokens -= entry.num_tokens
        self.num_tokens -= entry.num_tokens
        self._num_jobs -= 1
        if not request.entries:
            flow.requests.close(entry.job.request)
        if not flow.num_jobs:
            self._clients.close(flow.name)

    def serve(self, entries: Sequence[Entry]) -> None:
        """Remove jobs that a worker starts now, and charge their flows."""
        by_client: dict[ClientFlow, dict[RequestFlow, float]] = {}
        for entry in entries:
            client = self._clients.flows[entry.job.client.name]
            by_request = by_client.setdefault(client, {})
            request = client.requests.flows[entry.job.request]
            by_request[request] = by_request.get(request, 0.0) + entry.work
        for client, by_request in by_client.items():
            self._clients.charge(client, sum(by_request.values()))
            for request, work in by_request.items():
                client.requests.charge(request, work)
        for entry in entries:
            self.remove(entry)
        self._clients.bound_virtual_time()
        for client in by_client:
            client.requests.bound_virtual_time()

    def window(self, size: int, capacity: BatchCapacity | None = None) -> list[Entry]:
        """About the next `size` jobs in fair order; sets the round of each.

        The flow with the least virtual time comes first. Within a round, one flow follows another.

        Args:
            size: Most jobs.
            capacity: Its bounds for clients and requests apply; None: there are none.
        """
        return list(islice(self._in_turn(capacity or UNBOUNDED), size))

    def _in_turn(self, capacity: BatchCapacity) -> Iterator[Entry]:
        if len(self._clients) == 1 and capacity.max_slots_per_client is None:
            (client,) = self._clients
            return _of_client(client, capacity)
        return self._of_clients(capacity)

    def _of_clients(self, capacity: BatchCapacity) -> Iterator[Entry]:
        cursors = (
            _Cursor(
                virtual_time=client.virtual_time,
                weight=client.weight,
                slots=_Slots(free=capacity.free_slots_of(client.name)),
                rest=_of_client(client, capacity),
            )
            for client in self._clients
        )
        is_alone = len(self._clients) == 1
        for number, entry in _interleaved(cursors, is_alone=is_alone):
            entry.round = (number, entry.round[1])
            yield entry

    def _open(self, client: Client) -> ClientFlow:
        return self._clients.open(
            client.name,
            lambda number, virtual_time: ClientFlow(
                name=client.name, number=number, weight=client.weight, virtual_time=virtual_time
            ),
        )


def _open(client: ClientFlow, request: Request) -> RequestFlow:
    return client.requests.open(
        request,
        lambda number, virtual_time: RequestFlow(
            request=request, number=number, weight=1.0, virtual_time=virtual_time
        ),
    )


@dataclass(slots=True, kw_only=True)
class _Slots:
    """Slots that one flow, or several together, may still take."""

    free: float


@dataclass(slots=True, kw_only=True)
class _Cursor:
    """How far a look ahead has come in a flow."""

    virtual_time: float
    weight: float
    slots: _Slots
    rest: Iterator[Entry]
    is_at_end: bool = False


def _of_client(client: ClientFlow, capacity: BatchCapacity) -> Iterator[Entry]:
    """Jobs of a client, its requests in turn; sets the round of each among them."""
    if len(client.requests) == 1 and not capacity.bounds_requests:
        return _in_first_round(client.entries)
    return _of_requests(client, capacity)


def _in_first_round(entries: Iterator[Entry]) -> Iterator[Entry]:
    for entry in entries:
        entry.round = FIRST_ROUND
        yield entry


def _of_requests(client: ClientFlow, capacity: BatchCapacity) -> Iterator[Entry]:
    of_long, of_short = _Slots(free=capacity.free_slots_of_long(client.name)), _Slots(free=math.inf)
    cursors = (
        _Cursor(
            virtual_time=flow.virtual_time,
            weight=flow.weight,
            slots=of_long if flow.request.is_long else of_short,
            rest=iter(flow.entries),
        )
        for flow in client.requests
        # Any number of long ones may come first that have no slots left.
        if not (flow.request.is_long and of_long.free <= 0)
        and (client.name, flow.request) not in capacity.held_back
    )
    for number, entry in _interleaved(cursors, is_alone=len(client.requests) == 1):
        entry.round = (0, number)
        yield entry


def _interleaved(flows: Iterator[_Cursor], *, is_alone: bool) -> Iterator[tuple[int, Entry]]:
    """Jobs of several flows, in order of their turns, with their rounds; one alone has only one.

    A flow is looked at only once its turn comes: there may be many more than there are places.
    """
    cursors: list[_Cursor] = []
    upcoming = next(flows, None)
    number = 0
    while cursors or upcoming:
        limit = ROUND_WORK + min(c.virtual_time for c in (*cursors, upcoming) if c)
        is_empty = True
        for cursor in cursors:
            for entry in _round(limit, cursor):
                yield number, entry
                is_empty = False
        while upcoming and upcoming.virtual_time < limit:
            cursors.append(upcoming)
            for entry in _round(limit, upcoming):
                yield number, entry
                is_empty = False
            upcoming = next(flows, None)
        cursors = [cursor for cursor in cursors if not cursor.is_at_end]
        number += not (is_empty or is_alone)


def _round(limit: float, cursor: _Cursor) -> list[Entry]:
    """The jobs of a flow that start before the virtual time `limit`."""
    jobs = []
    while cursor.virtual_time < limit:
        entry = next(cursor.rest, None)
        if entry is None:
            cursor.is_at_end = True
            break
        if entry.num_slots > cursor.slots.free:
            # No job of the flows that share these slots overtakes it.
            cursor.slots.free, cursor.is_at_end = 0, True
            break
        cursor.slots.free -= entry.num_slots
        jobs.append(entry)
        cursor.virtual_time += entry.work / cursor.weight
    return jobs
