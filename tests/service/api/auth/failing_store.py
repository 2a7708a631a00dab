"""A store that cannot be asked."""

from service.api.auth.glossary_record import GlossaryHead, GlossaryRecord, GlossaryRoom, PutOutcome
from service.api.auth.key import ApiKey
from service.api.auth.reservation import Delivery, Demand, Granted
from service.errors import KeyStoreError


class FailingStore:
    """Fails whatever it is asked."""

    is_instant = False

    async def put(self, key: ApiKey) -> None:
        raise KeyStoreError

    async def find(self, digest: str) -> ApiKey | None:
        raise KeyStoreError

    async def keys(self) -> list[ApiKey]:
        raise KeyStoreError

    async def count_request(self, key_id: str, minute: int) -> int:
        raise KeyStoreError

    async def reserve(self, demand: Demand, now_s: float) -> Granted:
        raise KeyStoreError

    async def deliver(self, delivery: Delivery, now_s: float) -> None:
        raise KeyStoreError

    async def num_chars(self, key_id: str, month: str, now_s: float) -> int:
        raise KeyStoreError

    async def put_glossary(
        self, owner: str, record: GlossaryRecord, room: GlossaryRoom, replaces: str | None
    ) -> PutOutcome:
        raise KeyStoreError

    async def glossary(self, owner: str, glossary_id: str) -> GlossaryRecord | None:
        raise KeyStoreError

    async def glossary_heads(self, owner: str) -> list[GlossaryHead]:
        raise KeyStoreError

    async def remove_glossary(self, owner: str, glossary_id: str) -> bool:
        raise KeyStoreError

    async def close(self) -> None:
        pass
