"""Time of a request to look up its key in a store, to reserve its characters and to pay.

python -m benchmarks.serving.key_stores [--redis redis://127.0.0.1:6379/0]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore, open_store
from service.api.auth.memory_store import MemoryStore
from service.api.auth.reservation import Delivery, Demand

_NUM_KEYS = 10_000
_NUM_REQUESTS = 3_000
_MICROSECONDS = 1_000_000


def main() -> None:
    """Print the time of each store, in microseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", help="address of a server that may be written to")
    address = parser.parse_args().redis
    asyncio.run(_measure("memory", MemoryStore()))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure("SQLite", open_store(str(Path(folder) / "keys.db"))))
    if address:
        asyncio.run(_measure("Redis", open_store(address)))


async def _measure(name: str, store: KeyStore) -> None:
    now = datetime.now(UTC)
    keys = [ApiKey(digest=digest_of(str(i)), name=str(i), created=now) for i in range(_NUM_KEYS)]
    for key in keys:
        await store.put(key)
    times = [await _asked(store, key, now.timestamp()) for key in keys[:_NUM_REQUESTS]]
    await store.close()
    cuts = statistics.quantiles(times, n=100)
    print(f"{name}: median {cuts[49]:.0f} us, 99th percentile {cuts[98]:.0f} us")


async def _asked(store: KeyStore, key: ApiKey, now_s: float) -> float:
    demand = Demand(
        id=key.id,
        attempt=key.id,
        key_id=key.id,
        month="2026-01",
        num_chars=50,
        limit=1_000_000,
        lifetime_s=90.0,
    )
    delivery = Delivery(
        id=key.id, attempt=key.id, key_id=key.id, num_chars=demand.num_chars, is_last=True
    )
    began_s = time.perf_counter()
    await store.find(key.digest)
    await store.reserve(demand, now_s)
    await store.deliver(delivery, now_s)
    return (time.perf_counter() - began_s) * _MICROSECONDS


if __name__ == "__main__":
    main()
