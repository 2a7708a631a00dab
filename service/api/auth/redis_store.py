"""Keys and usage in Redis: one account of every key for all replicas."""

from collections.abc import Awaitable
from typing import TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.api.auth.key import KEY_JSON, Key
from service.errors import KeyStoreError

_PATIENCE_S = 1.0
"""To connect, to get an answer, and to get a connection that is free."""
_MAX_CONNECTIONS = 32
_KEYS = "pellucid:keys"
_MINUTE_S = 60
_KEPT_S = 400 * 24 * 3600
"""A month can be looked up for a year."""

# Scripts, because Redis runs each as one step, whoever else is connected.
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
    """A KeyStore on a server; what was written lasts as long as that server keeps it."""

    def __init__(self, address: str) -> None:
        """Connect when first asked.

        Args:
            address: As in `redis://:password@host:6379/0`.

        Raises:
            ValueError: It is no such address.
        """
        # Once more at once: a server that was restarted has dropped the connections of the pool.
        retry = Retry(NoBackoff(), 1)
        pool = BlockingConnectionPool.from_url(
            address,
            max_connections=_MAX_CONNECTIONS,
            timeout=_PATIENCE_S,
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
            retry=retry,
        )
        self._server = Redis.from_pool(pool)

    async def put(self, key: Key) -> None:
        """Write a key down, in the place of an earlier state of it."""
        document = KEY_JSON.dump_json(key).decode()
        await self._answer(self._server.hset(_KEYS, key.digest, document))

    async def find(self, digest: str) -> Key | None:
        """A key, whether it is valid or not."""
        document = await self._answer(self._server.hget(_KEYS, digest))
        return None if document is None else KEY_JSON.validate_json(document)

    async def keys(self) -> list[Key]:
        """All keys, the oldest first."""
        documents = await self._answer(self._server.hvals(_KEYS))
        return sorted((KEY_JSON.validate_json(d) for d in documents), key=lambda k: k.created)

    async def count_request(self, key_id: str, minute: int) -> int:
        """Requests with a key in a minute, this one among them."""
        name = f"pellucid:requests:{key_id}:{minute}"
        return int(await self._run(_COUNT, name, 2 * _MINUTE_S))

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Count characters, unless there would be more than `limit`; what was there before."""
        most = -1 if limit is None else limit
        return int(await self._run(_CHARGE, _chars(key_id, month), num_chars, most, _KEPT_S))

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Take back what was charged."""
        await self._run(_REFUND, _chars(key_id, month), num_chars, _KEPT_S)

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
