"""What a key may do yet: its month and its minute."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

from service.api.auth.key import Key
from service.api.auth.key_store import KeyStore
from service.errors import KeyStoreError, QuotaExceededError, RateLimitedError, ServiceError
from service.observability.metrics import Metrics
from service.scheduling.limits import Client

Now = Callable[[], datetime]
UNLIMITED_CHARS = 1_000_000_000_000
"""What DeepL's clients are told where there is no limit, as DeepL itself does."""
_MINUTE_S = 60

_log = logging.getLogger(__name__)


class Account:
    """A key, or everybody without one, for the time of one request."""

    def __init__(
        self, store: KeyStore, client: Client, metrics: Metrics, now: Now, key: Key | None = None
    ) -> None:
        """Count nothing yet.

        Args:
            store: Where it is counted.
            client: Whom the queue takes it for.
            metrics: Count what is refused.
            now: The time in UTC; months and minutes are the calendar's.
            key: Says what is allowed; None: everything.
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
        """Characters that a month has."""
        return UNLIMITED_CHARS if self._monthly_chars is None else self._monthly_chars

    async def num_chars(self) -> int:
        """Characters since the month began.

        Raises:
            KeyStoreError: Nobody knows.
        """
        with counted_refusals(self._metrics):
            return await self._store.num_chars(self._id, self._month())

    async def count_request(self) -> None:
        """Count a request.

        Raises:
            RateLimitedError: The minute has no more.
            KeyStoreError: It cannot be counted.
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
        """Count `num_chars`, unless what is done meanwhile fails.

        Raises:
            QuotaExceededError: The month does not have so many left.
            KeyStoreError: They cannot be counted.
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
        except KeyStoreError:  # the reason why the work failed says more
            _log.warning("refund failed", extra={"characters": num_chars})

    def _month(self) -> str:
        return f"{self._now():%Y-%m}"


@contextmanager
def counted_refusals(metrics: Metrics) -> Iterator[None]:
    """Count, by its code, what turns a request away."""
    try:
        yield
    except ServiceError as error:
        metrics.rejected.labels(reason=error.code).inc()
        if isinstance(error, KeyStoreError):
            _log.warning("key store failed", extra={"error": type(error.__cause__).__name__})
        raise
