"""Keys and usage in Redis, shared by all replicas."""

from collections.abc import Awaitable
from typing import TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.api.auth.key import API_KEY_JSON, ApiKey
from service.errors import KeyStoreError

_TIMEOUT_S = 1.0
"""For connecting, for an answer, and for a free connection of the pool."""
_MAX_CONNECTIONS = 32
_KEYS = "pellucid:keys"
_MINUTE_S = 60
_USAGE_LIFETIME_S = 400 * 24 * 3600
"""Usage of a month can be looked up for a year."""

# Scripts, because Redis runs each atomically.
_COUNT = """\
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""
_CHARGE = """\
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local limit = tonumber(ARGV[2])
if limit < 0 or used + ARGV[1] <= limit then
    redis.call('SET', KEYS[1], string.format('%.0f', used + ARGV[1]), 'EX', ARGV[3])
end
return string.format('%.0f', used)
"""
_REFUND = """\
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if used > 0 then
    local left = string.format('%.0f', math.max(0, used - ARGV[1]))
    redis.call('SET', KEYS[1], left, 'EX', ARGV[2])
end
"""

T = TypeVar("T")


class RedisStore:
    """Keys and usage on a Redis server, as durable as that server is configured."""

    def __init__(self, address: str) -> None:
        """Configure the connections; the first is opened when needed.

        Args:
            address: As in `redis://:password@host:6379/0`.

        Raises:
            ValueError: The address is malformed.
        """
        # One immediate retry: a restarted server has closed the connections of the pool.
        retry = Retry(NoBackoff(), 1)
        pool = BlockingConnectionPool.from_url(
            address,
            max_connections=_MAX_CONNECTIONS,
            timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=retry,
        )
        self._server = Redis.from_pool(pool)

    async def put(self, key: ApiKey) -> None:
        """Store a key, replacing its earlier state."""
        document = API_KEY_JSON.dump_json(key).decode()
        await self._answer(self._server.hset(_KEYS, key.digest, document))

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, valid or not."""
        document = await self._answer(self._server.hget(_KEYS, digest))
        return None if document is None else API_KEY_JSON.validate_json(document)

    async def keys(self) -> list[ApiKey]:
        """All keys, oldest first."""
        documents = await self._answer(self._server.hvals(_KEYS))
        return sorted((API_KEY_JSON.validate_json(d) for d in documents), key=lambda k: k.created)

    async def count_request(self, key_id: str, minute: int) -> int:
        """Count a request; returns the requests of that minute, this one included."""
        name = f"pellucid:requests:{key_id}:{minute}"
        return int(await self._run(_COUNT, name, 2 * _MINUTE_S))

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Add characters unless that exceeds `limit`; returns the count before."""
        most = -1 if limit is None else limit
        return int(
            await self._run(_CHARGE, _chars(key_id, month), num_chars, most, _USAGE_LIFETIME_S)
        )

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Subtract characters that were charged."""
        await self._run(_REFUND, _chars(key_id, month), num_chars, _USAGE_LIFETIME_S)

    async def num_chars(self, key_id: str, month: str) -> int:
        """Characters counted in a month."""
        return int(await self._answer(self._server.get(_chars(key_id, month))) or 0)

    async def close(self) -> None:
        """Close all connections."""
        await self._server.aclose()
        await self._server.connection_pool.disconnect()

    async def _run(self, script: str, name: str, *arguments: int) -> bytes | int:
        return cast(
            "bytes | int", await self._answer(self._server.eval(script, 1, name, *arguments))
        )

    async def _answer(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except (RedisError, OSError) as error:
            raise KeyStoreError from error


def _chars(key_id: str, month: str) -> str:
    return f"pellucid:chars:{key_id}:{month}"
