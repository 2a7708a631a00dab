"""Keys and usage in memory, for a server without a key store."""

import heapq
import math

from service.api.auth.glossary_record import (
    GlossaryHead,
    GlossaryRecord,
    GlossaryRoom,
    PutOutcome,
)
from service.api.auth.glossary_record import (
    refusal as refusal_of_glossary,
)
from service.api.auth.key import ApiKey
from service.api.auth.reservation import (
    MAX_REMEMBERED,
    Delivery,
    Demand,
    Granted,
    Reservation,
    begin,
    deliver,
    expire,
    refusal,
)

_MIN_ENTRIES = 64
"""Entries of a heap that are not worth a clean-up."""


class MemoryStore:
    """Keys and usage in memory; lost with the process, never fails."""

    is_instant = True

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._requests: dict[str, tuple[int, int]] = {}
        self._usage: dict[str, _Usage] = {}
        self._glossaries: dict[str, dict[str, GlossaryRecord]] = {}

    async def put(self, key: ApiKey) -> None:
        """Store a key, replacing its earlier state."""
        self._keys[key.digest] = key

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, valid or not."""
        return self._keys.get(digest)

    async def keys(self) -> list[ApiKey]:
        """All keys, oldest first."""
        return sorted(self._keys.values(), key=lambda key: key.created)

    async def count_request(self, key_id: str, minute: int) -> int:
        """Count a request; returns the requests of that minute, this one included."""
        last, count = self._requests.get(key_id, (minute, 0))
        count = count + 1 if last == minute else 1
        self._requests[key_id] = minute, count
        return count

    async def reserve(self, demand: Demand, now_s: float) -> Granted:
        """Hold the characters of an attempt, unless that exceeds its limit."""
        return self._of(demand.key_id).reserve(demand, now_s)

    async def deliver(self, delivery: Delivery, now_s: float) -> None:
        """Count what an attempt has delivered; no-op without its reservation."""
        self._of(delivery.key_id).deliver(delivery, now_s)

    async def num_chars(self, key_id: str, month: str, now_s: float) -> int:
        """Characters counted in a month."""
        usage = self._of(key_id)
        usage.sweep(now_s)
        return usage.num_chars(month)

    async def put_glossary(
        self, owner: str, record: GlossaryRecord, room: GlossaryRoom, replaces: str | None
    ) -> PutOutcome:
        """Store a glossary, unless that exceeds the room of its owner."""
        own = self._glossaries.setdefault(owner, {})
        stored = own.get(record.head.id)
        if (None if stored is None else stored.head.revision) != replaces:
            return "changed"
        others = [(each.head.id, each.head.size_bytes) for each in own.values()]
        if refused := refusal_of_glossary(others, record, room):
            return refused
        own[record.head.id] = record
        return "stored"

    async def glossary(self, owner: str, glossary_id: str) -> GlossaryRecord | None:
        """A glossary of an owner."""
        return self._glossaries.get(owner, {}).get(glossary_id)

    async def glossary_heads(self, owner: str) -> list[GlossaryHead]:
        """All glossaries of an owner."""
        return [record.head for record in self._glossaries.get(owner, {}).values()]

    async def remove_glossary(self, owner: str, glossary_id: str) -> bool:
        """Remove a glossary of an owner; False if there is none."""
        return self._glossaries.get(owner, {}).pop(glossary_id, None) is not None

    async def close(self) -> None:
        """Nothing to close."""

    def _of(self, key_id: str) -> "_Usage":
        return self._usage.setdefault(key_id, _Usage())


class _Usage:
    """Usage and reservations of one key; of the latest month only."""

    def __init__(self) -> None:
        self._month = ""
        self._num_chars = 0
        self._reservations: dict[str, Reservation] = {}
        self._ends: list[tuple[float, str]] = []
        """Heap of when reservations end at the earliest; deliveries prolong them."""
        self._due_s: dict[str, float] = {}
        """The valid entry of each reservation in the heap."""

    def reserve(self, demand: Demand, now_s: float) -> Granted:
        self.sweep(now_s)
        stored = self._reservations.get(demand.id)
        after = begin(stored, demand, now_s)
        used = self.num_chars(after.month)
        if refused := refusal(stored, demand):
            return Granted(outcome=refused, used=used)
        if stored is None or not stored.is_open:  # else this attempt holds it already
            if after.held and demand.limit is not None and used + after.held > demand.limit:
                return Granted(outcome="over_limit", used=used)
            self._store(demand.id, after, after.held)
        return Granted(outcome="granted", used=used)

    def deliver(self, delivery: Delivery, now_s: float) -> None:
        self.sweep(now_s)
        stored = self._reservations.get(delivery.id)
        if stored is None:
            return
        after, change = deliver(stored, delivery, now_s)
        self._store(delivery.id, after, change)
        if not after.is_open:
            self._forget(now_s)

    def sweep(self, now_s: float) -> None:
        while self._ends and self._ends[0][0] <= now_s:
            due_s, own_id = heapq.heappop(self._ends)
            stored = self._reservations.get(own_id)
            if stored is None or self._due_s[own_id] != due_s:
                continue
            if stored.ends_s > now_s:
                self._schedule(own_id, stored.ends_s)
            elif stored.is_open:
                self._store(own_id, *expire(stored))
                self._schedule(own_id, self._reservations[own_id].ends_s)
            else:
                self._drop(own_id)

    def num_chars(self, month: str) -> int:
        return self._num_chars if month == self._month else 0

    def _store(self, own_id: str, reservation: Reservation, change: int) -> None:
        self._reservations[own_id] = reservation
        if reservation.ends_s < self._due_s.get(own_id, math.inf):
            self._schedule(own_id, reservation.ends_s)
        if reservation.month > self._month:
            self._month, self._num_chars = reservation.month, 0
        if reservation.month == self._month:
            self._num_chars += change

    def _schedule(self, own_id: str, due_s: float) -> None:
        self._due_s[own_id] = due_s
        heapq.heappush(self._ends, (due_s, own_id))

    def _drop(self, own_id: str) -> None:
        del self._reservations[own_id], self._due_s[own_id]
        if len(self._ends) > 2 * len(self._due_s) + _MIN_ENTRIES:  # most are of ended requests
            self._ends = [(due_s, own_id) for own_id, due_s in self._due_s.items()]
            heapq.heapify(self._ends)

    def _forget(self, now_s: float) -> None:
        """Drop what need not, or cannot, be remembered."""
        self.sweep(now_s)
        if len(self._reservations) > MAX_REMEMBERED:
            ended = (i for i, stored in self._reservations.items() if not stored.is_open)
            if (oldest := next(ended, None)) is not None:
                self._drop(oldest)
