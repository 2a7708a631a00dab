"""A store that cannot be asked."""

from service.api.auth.key import ApiKey
from service.errors import KeyStoreError


class FailingStore:
    """Fails whatever it is asked."""

    async def put(self, key: ApiKey) -> None:
        raise KeyStoreError

    async def find(self, digest: str) -> ApiKey | None:
        raise KeyStoreError

    async def keys(self) -> list[ApiKey]:
        raise KeyStoreError

    async def count_request(self, key_id: str, minute: int) -> int:
        raise KeyStoreError

    async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
        raise KeyStoreError

    async def refund(self, key_id: str, month: str, num_chars: int) -> None:
        raise KeyStoreError

    async def num_chars(self, key_id: str, month: str) -> int:
        raise KeyStoreError

    async def close(self) -> None:
        pass
