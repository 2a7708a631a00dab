"""Keys and usage in Redis, shared by all replicas."""

from collections.abc import Awaitable
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.api.auth.glossary_record import (
    GlossaryHead,
    GlossaryRecord,
    GlossaryRoom,
    PutOutcome,
)
from service.api.auth.key import API_KEY_JSON, ApiKey
from service.api.auth.reservation import (
    LATE_S,
    MAX_REMEMBERED,
    Delivery,
    Demand,
    Granted,
    Outcome,
)
from service.errors import KeyStoreError

_MAX_CONNECTIONS = 32
_KEYS = "pellucid:keys"
_MINUTE_S = 60
_MAX_SWEPT = 100
"""Reservations that one request expires or forgets; the next one goes on."""
_MAX_OPEN = 512
"""Reservations in progress that are passed over when one is forgotten."""
_USAGE_LIFETIME_S = 400 * 24 * 3600
"""Usage of a month can be looked up for a year."""

# Scripts, because Redis runs each atomically.
_COUNT = """\
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""
# The rules of `service.api.auth.reservation`. A stored reservation is a JSON list of texts, because
# JSON would round large numbers.
_RESERVATIONS = """\
local stored, ends, usage = KEYS[1], KEYS[2], KEYS[3]
local now, usage_lifetime, late = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local function whole(number) return string.format('%.0f', number) end
local function load(id)
    local text = redis.call('HGET', stored, id)
    if not text then return nil end
    local f = cjson.decode(text)
    return {attempt = f[1], month = f[2], fingerprint = f[3], held = tonumber(f[4]),
        delivered = tonumber(f[5]), open = f[6] == '1', ends = tonumber(f[7]), lifetime = f[8],
        remembered = f[9]}
end
local function drop(id)
    redis.call('HDEL', stored, id)
    redis.call('ZREM', ends, id)
end
local function used(month) return tonumber(redis.call('GET', usage .. month) or '0') end
local function add(month, change)
    if change ~= 0 then
        local after = math.max(0, used(month) + change)
        redis.call('SET', usage .. month, whole(after), 'EX', usage_lifetime)
    end
end
local function store(id, r, change)
    redis.call('HSET', stored, id, cjson.encode({r.attempt, r.month, r.fingerprint, whole(r.held),
        whole(r.delivered), r.open and '1' or '0', string.format('%.6f', r.ends), r.lifetime,
        r.remembered}))
    redis.call('ZADD', ends, string.format('%.6f', r.ends), id)
    redis.call('EXPIRE', stored, usage_lifetime)
    redis.call('EXPIRE', ends, usage_lifetime)
    add(r.month, change)
end
local function current(id)
    local r = load(id)
    if r and now >= r.ends and r.open then
        local held = r.held
        r.held, r.open = 0, false
        r.ends = r.ends + math.max(late, tonumber(r.remembered))
        store(id, r, -held)
    end
    if r and now >= r.ends then
        drop(id)
        return nil
    end
    return r
end
"""
_RESERVE = (
    _RESERVATIONS
    + """\
local id, attempt, month, fingerprint = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local num_chars, limit = tonumber(ARGV[8]), tonumber(ARGV[9])
local lifetime, remembered, max_swept = ARGV[10], ARGV[11], ARGV[12]
for _, each in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, max_swept)) do
    if not current(each) then drop(each) end
end
local r = current(id)
local before = used(r and r.month or month)
if r and r.fingerprint ~= fingerprint then return {'other_request', whole(before)} end
if r and r.open then
    return {r.attempt == attempt and 'granted' or 'in_progress', whole(before)}
end
local delivered = r and r.delivered or 0
local held = math.max(0, num_chars - delivered)
if held > 0 and limit >= 0 and before + held > limit then
    return {'over_limit', whole(before)}
end
store(id, {attempt = attempt, month = r and r.month or month, fingerprint = fingerprint,
    held = held, delivered = delivered, open = true, ends = now + tonumber(lifetime),
    lifetime = lifetime, remembered = remembered}, held)
return {'granted', whole(before)}
"""
)
_DELIVER = (
    _RESERVATIONS
    + """\
local id, attempt, num_chars, last = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7] == '1'
local max_remembered, max_open = tonumber(ARGV[8]), tonumber(ARGV[9])
local r = current(id)
if not r then return end
local new = math.max(0, num_chars - r.delivered)
local held = math.max(0, r.held - new)
local change = math.max(0, new - r.held)
r.delivered, r.held = r.delivered + new, held
if r.attempt ~= attempt then
    store(id, r, change)
elseif not last then
    r.open, r.ends = true, now + tonumber(r.lifetime)
    store(id, r, change)
elseif tonumber(r.remembered) > 0 then
    r.held, r.open, r.ends = 0, false, now + tonumber(r.remembered)
    store(id, r, change - held)
    local many = redis.call('ZCARD', ends) - max_remembered
    local oldest = many > 0 and redis.call('ZRANGE', ends, 0, many + max_open) or {}
    for _, each in ipairs(oldest) do
        if many > 0 and not load(each).open then
            drop(each)
            many = many - 1
        end
    end
else
    drop(id)
    add(r.month, change - held)
end
"""
)
_NUM_CHARS = (
    _RESERVATIONS
    + """\
local month, count = ARGV[4], used(ARGV[4])
for _, each in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
    local r = load(each)
    if r and r.open and r.month == month then count = count - r.held end
end
return whole(count)
"""
)

# The rules of `service.api.auth.glossary_record`. One hash has the heads, another the contents, a
# third the revisions and sizes.
_PUT_GLOSSARY = """\
local heads, contents, states = KEYS[1], KEYS[2], KEYS[3]
local id, revision, replaces, size = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local max_glossaries, max_bytes = tonumber(ARGV[5]), tonumber(ARGV[6])
local stored = redis.call('HGET', states, id)
if (stored and string.match(stored, '^(%S+)') or '') ~= replaces then return 'changed' end
local count, bytes = 0, 0
local all = redis.call('HGETALL', states)
for i = 1, #all, 2 do
    if all[i] ~= id then
        count = count + 1
        bytes = bytes + tonumber(string.match(all[i + 1], '(%d+)$'))
    end
end
if count >= max_glossaries then return 'too_many' end
if bytes + size > max_bytes then return 'too_large' end
redis.call('HSET', states, id, revision .. ' ' .. ARGV[4])
redis.call('HSET', heads, id, ARGV[7])
redis.call('HSET', contents, id, ARGV[8])
return 'stored'
"""
_GET_GLOSSARY = """\
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGET', KEYS[2], ARGV[1])}
"""
_REMOVE_GLOSSARY = """\
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
_HEAD_JSON = TypeAdapter(GlossaryHead)

T = TypeVar("T")


class RedisStore:
    """Keys and usage on a Redis server, as durable as that server is configured."""

    is_instant = False

    def __init__(self, address: str, timeout_s: float) -> None:
        """Configure the connections; the first is opened when needed.

        Args:
            address: As in `redis://:password@host:6379/0`.
            timeout_s: For connecting, for an answer, and for a free connection of the pool.

        Raises:
            ValueError: The address is malformed.
        """
        # One immediate retry: a restarted server has closed the connections of the pool.
        retry = Retry(NoBackoff(), 1)
        pool = BlockingConnectionPool.from_url(
            address,
            max_connections=_MAX_CONNECTIONS,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
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
        return int(await self._answer(self._server.eval(_COUNT, 1, name, 2 * _MINUTE_S)))

    async def reserve(self, demand: Demand, now_s: float) -> Granted:
        """Hold the characters of an attempt, unless that exceeds its limit."""
        outcome, used = await self._run(
            _RESERVE,
            demand.key_id,
            now_s,
            demand.id,
            demand.attempt,
            demand.month,
            demand.fingerprint,
            demand.num_chars,
            -1 if demand.limit is None else demand.limit,
            demand.lifetime_s,
            demand.remembered_s,
            _MAX_SWEPT,
        )
        return Granted(outcome=cast("Outcome", outcome.decode()), used=int(used))

    async def deliver(self, delivery: Delivery, now_s: float) -> None:
        """Count what an attempt has delivered; no-op without its reservation."""
        await self._run(
            _DELIVER,
            delivery.key_id,
            now_s,
            delivery.id,
            delivery.attempt,
            delivery.num_chars,
            int(delivery.is_last),
            MAX_REMEMBERED,
            _MAX_OPEN,
        )

    async def num_chars(self, key_id: str, month: str, now_s: float) -> int:
        """Characters counted in a month."""
        return int(await self._run(_NUM_CHARS, key_id, now_s, month))

    async def put_glossary(
        self, owner: str, record: GlossaryRecord, room: GlossaryRoom, replaces: str | None
    ) -> PutOutcome:
        """Store a glossary, unless that exceeds the room of its owner."""
        outcome = await self._run_on_glossaries(
            _PUT_GLOSSARY,
            owner,
            record.head.id,
            record.head.revision,
            replaces or "",
            record.head.size_bytes,
            room.max_glossaries,
            room.max_bytes,
            _HEAD_JSON.dump_json(record.head).decode(),
            record.content,
        )
        return cast("PutOutcome", outcome.decode())

    async def glossary(self, owner: str, glossary_id: str) -> GlossaryRecord | None:
        """A glossary of an owner."""
        head, content = await self._run_on_glossaries(_GET_GLOSSARY, owner, glossary_id)
        if head is None:
            return None
        return GlossaryRecord(head=_HEAD_JSON.validate_json(head), content=content.decode())

    async def glossary_heads(self, owner: str) -> list[GlossaryHead]:
        """All glossaries of an owner."""
        heads = await self._answer(self._server.hvals(_glossary_names(owner)[0]))
        return [_HEAD_JSON.validate_json(head) for head in heads]

    async def remove_glossary(self, owner: str, glossary_id: str) -> bool:
        """Remove a glossary of an owner; False if there is none."""
        return bool(await self._run_on_glossaries(_REMOVE_GLOSSARY, owner, glossary_id))

    async def close(self) -> None:
        """Close all connections."""
        await self._server.aclose()
        await self._server.connection_pool.disconnect()

    async def _run(self, script: str, key_id: str, now_s: float, *arguments: str | float) -> Any:  # noqa: ANN401 - what the script returns
        names = [f"pellucid:{part}:{key_id}" for part in ("reservations", "reservation_ends")]
        usage = f"pellucid:chars:{key_id}:"  # followed by the month
        return await self._answer(
            self._server.eval(
                script, 3, *names, usage, now_s, _USAGE_LIFETIME_S, LATE_S, *arguments
            )
        )

    async def _run_on_glossaries(self, script: str, owner: str, *arguments: str | int) -> Any:  # noqa: ANN401 - what the script returns
        names = _glossary_names(owner)
        return await self._answer(self._server.eval(script, len(names), *names, *arguments))

    async def _answer(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except (RedisError, OSError) as error:
            raise KeyStoreError from error


def _glossary_names(owner: str) -> list[str]:
    return [f"pellucid:glossary_{part}:{owner}" for part in ("heads", "contents", "states")]
