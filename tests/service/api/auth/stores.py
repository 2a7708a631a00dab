"""Keys, and work with a store that is opened for it."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore

CREATED = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
KEY = ApiKey(
    digest=digest_of("k"),
    name="Ωmega's key",
    created=CREATED,
    expires=CREATED + timedelta(days=3),
    monthly_chars=1000,
    requests_per_minute=3,
    weight=0.5,
    max_queued_jobs=7,
)
PLAIN = ApiKey(digest=digest_of("plain"), name="plain", created=CREATED - timedelta(days=1))
Open = Callable[[], KeyStore]
Work = Callable[[KeyStore], Coroutine[None, None, Any]]


def with_store(opening: Open, work: Work) -> Any:  # noqa: ANN401 - whatever the work gives
    async def worked() -> Any:  # noqa: ANN401
        store = opening()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(worked())
