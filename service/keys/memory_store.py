"""Keys and usage that end with the process: for keys of the configuration, and for tests."""

from service.keys.key import Key


class MemoryStore:
    """A KeyStore that nothing can go wrong with."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._requests: dict[str, tuple[int, int]] = {}
        self._chars: dict[str, tuple[str, int]] = {}
        """Of the latest month alone: nobody asks for earlier ones."""

    async def put(self, key: Key) -> None:
        """Write a key down, in the place of an earlier state of it."""
        self._keys[key.digest] = key

    async def find(self, digest: str) -> Key | None:
        """A key, whether it is valid or not."""
        return self._keys.get(digest)

    async def keys(self) -> list[Key]:
        """All keys, the oldest first."""
        return sorted(self._keys.values(), key=lambda key: key.created)

    async def count_request(self, key_id: str, minute: int) -> int:
        """Requests with a key in a minute, this one among them."""
        last, count = self._requests.get(key_id, (minute, 0))
        count = count + 1 if last == minute else 1
        self._requests[key_id] = minute, count
        return count

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        """Count characters, unless there would be more than `limit`; what was there before."""
        used = await self.num_chars(key_id, month)
        if limit is None or used + num_chars <= limit:
            self._chars[key_id] = month, used + num_chars
        return used

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        """Take back what was charged."""
        used = await self.num_chars(key_id, month)
        if used:
            self._chars[key_id] = month, max(0, used - num_chars)

    async def num_chars(self, key_id: str, month: str) -> int:
        """Characters counted in a month."""
        last, used = self._chars.get(key_id, (month, 0))
        return used if last == month else 0

    async def close(self) -> None:
        """Nothing is held."""
