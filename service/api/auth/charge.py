"""The characters of one request: held while it is worked on, paid for as they are delivered."""

import asyncio
import logging
from collections.abc import Callable

from service.api.auth.key_store import KeyStore, answer_within
from service.api.auth.reservation import Delivery, Demand
from service.errors import KeyStoreError

NowS = Callable[[], float]

_log = logging.getLogger(__name__)


class Charge:
    """A granted demand. What is delivered is paid for, the rest is given back at the end.

    If the process ends before, the store gives back what was not settled, once its time is over.
    """

    def __init__(self, store: KeyStore, demand: Demand, now_s: NowS, timeout_s: float) -> None:
        """Take over a demand that was granted.

        Args:
            store: Holds the characters.
            demand: As it was granted.
            now_s: Seconds since the epoch.
            timeout_s: Time for an answer of the store.
        """
        self._store = store
        self._demand = demand
        self._now_s = now_s
        self._timeout_s = timeout_s
        self._delivered = 0
        self._has_ended = False

    @property
    def num_chars(self) -> int:
        """All characters of the request."""
        return self._demand.num_chars

    def deliver(self, num_chars: int) -> None:
        """Note that so many characters, of all, have been handed to the client's connection."""
        self._delivered = max(self._delivered, num_chars)

    async def settle(self) -> None:
        """Store what has been delivered.

        Raises:
            KeyStoreError: The store does not answer.
        """
        await self._send(is_last=False)

    async def finish(self) -> None:
        """Everything is delivered: store it, and end.

        Raises:
            KeyStoreError: The store does not answer.
        """
        self.deliver(self.num_chars)
        self._has_ended = True
        await self._send_last()

    async def release(self) -> None:
        """Store what has been delivered and give back the rest; no-op after the end."""
        if self._has_ended:
            return
        self._has_ended = True
        try:
            await self._send_last()
        except KeyStoreError:  # the reason to release matters more; the rest expires
            _log.warning("settlement failed", extra={"characters": self._delivered})

    async def _send_last(self) -> None:
        sending = self._send(is_last=True)
        if self._store.is_instant:
            await sending
        else:  # shielded: a client that leaves now has its reply, or is about to get it
            await asyncio.shield(asyncio.ensure_future(sending))

    async def _send(self, *, is_last: bool) -> None:
        delivery = Delivery(
            id=self._demand.id,
            attempt=self._demand.attempt,
            key_id=self._demand.key_id,
            num_chars=self._delivered,
            is_last=is_last,
        )
        await answer_within(self._timeout_s, self._store.deliver(delivery, self._now_s()))


class OpenUsage:
    """Characters of all clients without a key, of the latest month: counted, and not limited."""

    def __init__(self) -> None:
        self._month = ""
        self._num_chars = 0

    def add(self, month: str, num_chars: int) -> None:
        """Count characters that were delivered in a month, as in `2026-11`."""
        if month > self._month:
            self._month, self._num_chars = month, 0
        self._num_chars += num_chars

    def num_chars(self, month: str) -> int:
        """Characters of a month."""
        return self._num_chars if month == self._month else 0


class OpenCharge(Charge):
    """The characters of a request without a key: nothing is held for it."""

    def __init__(self, usage: OpenUsage, month: str, num_chars: int) -> None:
        """Count nothing yet."""
        self._usage = usage
        self._month = month
        self._num_chars = num_chars
        self._delivered = 0
        self._has_ended = False

    @property
    def num_chars(self) -> int:
        """All characters of the request."""
        return self._num_chars

    async def settle(self) -> None:
        """Nothing is stored before the end."""

    async def _send_last(self) -> None:
        self._usage.add(self._month, self._delivered)
