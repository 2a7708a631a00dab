"""API keys as stored: digest and limits, never the key itself."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

_PREFIX = "pellucid_"
"""Lets secret scanners recognise keys in published files."""
_SECRET_BYTES = 32
_ID_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that an operator created; None: no limit."""

    digest: str
    """SHA-256 of the key, hexadecimal; enough, because the key is long and random."""
    name: str
    """Whose key it is, for operators."""
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    monthly_chars: int | None = None
    """Maximum characters per month."""
    requests_per_minute: int | None = None
    weight: float = 1.0
    """Share of the queue relative to other clients that wait."""
    max_queued_jobs: int | None = None
    """Maximum sentences in the queue."""

    @property
    def id(self) -> str:
        """Identifies the key in lists and counts."""
        return self.digest[:_ID_CHARS]

    def is_valid(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked is None and (self.expires is None or now < self.expires)


API_KEY_JSON = TypeAdapter(ApiKey)
"""Serialisation of a key in every store."""


def new_secret() -> str:
    """A new random key."""
    return _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def digest_of(secret: str) -> str:
    """Digest by which keys are looked up, so that timing reveals nothing about stored keys."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
