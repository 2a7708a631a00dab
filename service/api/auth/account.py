"""The account of a request: counts requests per minute and characters per month."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TypeVar

from service.api.auth.charge import Charge, OpenCharge, OpenUsage
from service.api.auth.key import ApiKey
from service.api.auth.key_store import KeyStore, answer_within
from service.api.auth.repetition import Repetition
from service.api.auth.reservation import Demand, Granted
from service.errors import (
    KeyStoreError,
    QuotaExceededError,
    RateLimitedError,
    RepetitionInProgressError,
    RepetitionMismatchError,
    ServiceError,
)
from service.observability.metrics import Metrics
from service.observability.random_ids import RandomIds
from service.scheduling.limits import Client

Now = Callable[[], datetime]
UNLIMITED_CHARS = 1_000_000_000_000
"""Limit reported to DeepL's clients where there is none, as DeepL itself does."""
_MINUTE_S = 60
_RETRY_AFTER_S = 1.0
_IDS = RandomIds()

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTimes:
    """Time limits around a store."""

    timeout_s: float = 1.0
    """For each answer."""
    reservation_s: float = 90.0
    """After which characters that are held for a request are free again, if its process ended."""


class Account:
    """A key, or all clients without one, during one request."""

    def __init__(
        self,
        store: KeyStore,
        client: Client,
        metrics: Metrics,
        now: Now,
        key: ApiKey | None = None,
        *,
        times: StoreTimes | None = None,
        open_usage: OpenUsage | None = None,
    ) -> None:
        """Create the account; nothing is counted yet.

        Args:
            store: Holds the counts.
            client: The client, as the queue knows it.
            metrics: Counts rejected requests.
            now: The time in UTC; months and minutes are those of the calendar.
            key: Carries the limits; None: no limits.
            times: Time limits around the store.
            open_usage: Counts characters where there is no key.
        """
        self._open_usage = OpenUsage() if open_usage is None else open_usage
        self.client = client
        self._store = store
        self._metrics = metrics
        self._now = now
        self._times = times or StoreTimes()
        self._timeout_s = self._times.timeout_s
        self._has_key = key is not None
        self._id = key.id if key else ""
        self._monthly_chars = key.monthly_chars if key else None
        self._requests_per_minute = key.requests_per_minute if key else None

    def limit_time(self, within_s: float | None) -> None:
        """Give the store no more time for an answer than the request has."""
        self._timeout_s = min(self._times.timeout_s, within_s or self._times.timeout_s)

    @property
    def owner(self) -> str:
        """Owner of the client's glossaries: the id of its key; empty without keys."""
        return self._id

    @property
    def max_chars(self) -> int:
        """Maximum characters per month."""
        return UNLIMITED_CHARS if self._monthly_chars is None else self._monthly_chars

    async def num_chars(self) -> int:
        """Characters counted this month.

        Raises:
            KeyStoreError: The store does not answer.
        """
        if not self._has_key:
            return self._open_usage.num_chars(self._month())
        with counted_refusals(self._metrics):
            return await self._answer(self._store.num_chars(self._id, self._month(), self._now_s()))

    async def count_request(self) -> None:
        """Count a request.

        Raises:
            RateLimitedError: The key has used up its requests of this minute.
            KeyStoreError: The store does not answer.
        """
        limit = self._requests_per_minute
        if limit is None:
            return
        minute, second = divmod(int(self._now().timestamp()), _MINUTE_S)
        if await self._answer(self._store.count_request(self._id, minute)) > limit:
            raise RateLimitedError(
                f"Slowdown: the key may make {limit} requests in a minute, this one has had them",
                retry_after_s=_MINUTE_S - second,
            )

    async def reserve(
        self,
        num_chars: int,
        repetition: Repetition | None = None,
        *,
        lifetime_s: float | None = None,
    ) -> Charge:
        """Hold characters for a request; the caller ends the charge.

        Args:
            num_chars: Characters of the whole request.
            repetition: What tells further attempts of the request; they pay for nothing twice.
            lifetime_s: The longest time between two deliveries; default: that of the store's times.

        Raises:
            QuotaExceededError: Fewer characters are left this month.
            RepetitionInProgressError: An attempt of the same request is in progress.
            RepetitionMismatchError: The attempts are not of the same request.
            KeyStoreError: The store does not answer.
        """
        if not self._has_key:
            return OpenCharge(self._open_usage, self._month(), num_chars)
        demand = self._demand(num_chars, repetition, lifetime_s or self._times.reservation_s)
        with counted_refusals(self._metrics):
            granted = await self._ask(demand)
            if granted.outcome == "in_progress" and repetition and not repetition.is_declared:
                # Equal requests side by side are no attempts of one.
                demand = replace(demand, id=demand.attempt, remembered_s=0.0)
                granted = await self._ask(demand)
            self._check(granted, num_chars)
        return Charge(self._store, demand, self._now_s, self._times.timeout_s)

    def charged(
        self,
        num_chars: int,
        repetition: Repetition | None = None,
        *,
        lifetime_s: float | None = None,
    ) -> "_Charged":
        """Charge `num_chars` when the body of the `async with` ends; nothing if it fails.

        Raises:
            ServiceError: As for `reserve`.
        """
        reserve = partial(self.reserve, num_chars, repetition, lifetime_s=lifetime_s)
        return _Charged(reserve, self._metrics)

    @asynccontextmanager
    async def charged_file(
        self, num_bytes: int, repetition: Repetition | None, *, lifetime_s: float
    ) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
        """Charge a file: its bytes, or its characters where packed text has more of them.

        Yields:
            What is awaited with the characters, once they are known.

        Raises:
            ServiceError: As for `reserve`, here and where the characters are told.
        """
        async with AsyncExitStack() as charges:

            async def charge(num_chars: int, part: Repetition | None) -> None:
                charged = self.charged(num_chars, part, lifetime_s=lifetime_s)
                await charges.enter_async_context(charged)

            async def charge_text(num_chars: int) -> None:
                if num_chars > num_bytes:
                    await charge(num_chars - num_bytes, repetition and repetition.part("text"))

            await charge(num_bytes, repetition)
            yield charge_text

    def _demand(self, num_chars: int, repetition: Repetition | None, lifetime_s: float) -> Demand:
        attempt = _IDS.new()
        return Demand(
            id=repetition.id if repetition else attempt,
            attempt=attempt,
            key_id=self._id,
            month=self._month(),
            num_chars=num_chars,
            limit=self._monthly_chars,
            lifetime_s=lifetime_s,
            fingerprint=repetition.fingerprint if repetition else "",
            remembered_s=repetition.remembered_s if repetition else 0.0,
        )

    async def _ask(self, demand: Demand) -> Granted:
        return await self._answer(self._store.reserve(demand, self._now_s()))

    def _check(self, granted: Granted, num_chars: int) -> None:
        match granted.outcome:
            case "over_limit":
                left = max(0, self.max_chars - granted.used)
                raise QuotaExceededError(
                    f"Slowdown: the key has {left} of {self.max_chars} characters left this "
                    f"month, the request has {num_chars}"
                )
            case "in_progress":
                raise RepetitionInProgressError(
                    "the request with this Idempotency-Key is in progress: wait for its reply",
                    retry_after_s=_RETRY_AFTER_S,
                )
            case "other_request":
                raise RepetitionMismatchError(
                    "this Idempotency-Key was sent with another request: use a new one"
                )

    async def _answer(self, asked: Awaitable[T]) -> T:
        return await answer_within(self._timeout_s, asked)

    def _now_s(self) -> float:
        return self._now().timestamp()

    def _month(self) -> str:
        now = self._now()
        return f"{now.year}-{now.month:02}"


class _Charged:
    """See `Account.charged`; a class, because a generator costs a short request more."""

    def __init__(self, reserve: Callable[[], Awaitable[Charge]], metrics: Metrics) -> None:
        self._reserve = reserve
        self._metrics = metrics

    async def __aenter__(self) -> None:
        self._charge = await self._reserve()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            await self._charge.release()
            return
        with counted_refusals(self._metrics):
            await self._charge.finish()


class counted_refusals:  # noqa: N801 - used like a function; a generator would cost more
    """Count errors that reject a request, by code."""

    def __init__(self, metrics: Metrics) -> None:
        """Take the metrics that count."""
        self._metrics = metrics

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, ServiceError):
            return
        self._metrics.rejected.labels(reason=error.code).inc()
        if isinstance(error, KeyStoreError):
            _log.warning("key store failed", extra={"error": type(error.__cause__).__name__})
