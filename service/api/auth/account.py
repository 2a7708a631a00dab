"""The account of a request: counts requests per minute and characters per month."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

from service.api.auth.key import ApiKey
from service.api.auth.key_store import KeyStore
from service.errors import KeyStoreError, QuotaExceededError, RateLimitedError, ServiceError
from service.observability.metrics import Metrics
from service.scheduling.limits import Client

Now = Callable[[], datetime]
UNLIMITED_CHARS = 1_000_000_000_000
"""Limit reported to DeepL's clients where there is none, as DeepL itself does."""
_MINUTE_S = 60

_log = logging.getLogger(__name__)


class Account:
    """A key, or all clients without one, during one request."""

    def __init__(
        self, store: KeyStore, client: Client, metrics: Metrics, now: Now, key: ApiKey | None = None
    ) -> None:
        """Create the account; nothing is counted yet.

        Args:
            store: Holds the counts.
            client: The client, as the queue knows it.
            metrics: Counts rejected requests.
            now: The time in UTC; months and minutes are those of the calendar.
            key: Carries the limits; None: no limits.
        """
        self.client = client
        self._store = store
        self._metrics = metrics
        self._now = now
        self._id = key.id if key else ""
        self._monthly_chars = key.monthly_chars if key else None
        self._requests_per_minute = key.requests_per_minute if key else None

    @property
    def max_chars(self) -> int:
        """Maximum characters per month."""
        return UNLIMITED_CHARS if self._monthly_chars is None else self._monthly_chars

    async def num_chars(self) -> int:
        """Characters counted this month.

        Raises:
            KeyStoreError: The store does not answer.
        """
        with counted_refusals(self._metrics):
            return await self._store.num_chars(self._id, self._month())

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
        if await self._store.count_request(self._id, minute) > limit:
            raise RateLimitedError(
                f"Slowdown: the key may make {limit} requests in a minute, this one has had them",
                retry_after_s=_MINUTE_S - second,
            )

    @asynccontextmanager
    async def charged(self, num_chars: int) -> AsyncIterator[None]:
        """Charge `num_chars`; refund them if the body of the `async with` fails.

        Raises:
            QuotaExceededError: Fewer characters are left this month.
            KeyStoreError: The store does not answer.
        """
        month = self._month()
        with counted_refusals(self._metrics):
            await self._charge(month, num_chars)
        try:
            yield
        except BaseException:
            await self._refund(month, num_chars)
            raise

    async def _charge(self, month: str, num_chars: int) -> None:
        used = await self._store.charge(self._id, month, num_chars, self._monthly_chars)
        if self._monthly_chars is not None and used + num_chars > self._monthly_chars:
            raise QuotaExceededError(
                f"Slowdown: the key has {max(0, self._monthly_chars - used)} of "
                f"{self._monthly_chars} characters left this month, the request has {num_chars}"
            )

    async def _refund(self, month: str, num_chars: int) -> None:
        try:
            await self._store.refund(self._id, month, num_chars)
        except KeyStoreError:  # the error that caused the refund matters more
            _log.warning("refund failed", extra={"characters": num_chars})

    def _month(self) -> str:
        return f"{self._now():%Y-%m}"


@contextmanager
def counted_refusals(metrics: Metrics) -> Iterator[None]:
    """Count errors that reject a request, by code."""
    try:
        yield
    except ServiceError as error:
        metrics.rejected.labels(reason=error.code).inc()
        if isinstance(error, KeyStoreError):
            _log.warning("key store failed", extra={"error": type(error.__cause__).__name__})
        raise
