"""A key as it is kept: its digest and what it allows, never the key itself."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

_PREFIX = "pellucid_"
"""What programs that look for secrets in published files know ours by."""
_SECRET_BYTES = 32
_ID_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What an operator gave out; None where nothing is limited."""

    digest: str
    """SHA-256 of the key, hexadecimal. The key is random and long: nothing slower is needed."""
    name: str
    """For people: whose it is."""
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    monthly_chars: int | None = None
    """Characters that it may have translated in a month."""
    requests_per_minute: int | None = None
    weight: float = 1.0
    """Its share of the queue beside others who wait at the same time."""
    max_queued_jobs: int | None = None
    """Sentences of it that may wait."""

    @property
    def id(self) -> str:
        """Names it in lists and in what is counted."""
        return self.digest[:_ID_CHARS]

    def is_valid(self, now: datetime) -> bool:
        """Whether it lets anybody in."""
        return self.revoked is None and (self.expires is None or now < self.expires)


KEY_JSON = TypeAdapter(Key)
"""How every store writes a key down."""


def new_secret() -> str:
    """What is given out, once: the key itself."""
    return _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def digest_of(secret: str) -> str:
    """What a key is compared by: how long that takes says nothing about our keys."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
