"""Recognises repeated requests, which are charged once: `Idempotency-Key`, and DeepL's clients."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fastapi import Request

from service.errors import InvalidRequestError

IDEMPOTENCY_KEY = "Idempotency-Key"
"""Header of draft-ietf-httpapi-idempotency-key-header."""
MAX_KEY_CHARS = 255
REMEMBERED_S = 24 * 3600.0
"""Time for which a repetition with the header is recognised."""
DEEPL_REMEMBERED_S = 30.0
"""The official clients wait at most 8 s between two attempts, each of which takes at most 10 s."""
_DIGEST_BYTES = 16
_VALID_KEY = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]+)"|([\x21\x23-\x5b\x5d-\x7e]+)')
"""A string of structured headers without escapes, or the same without its quotes."""
_DEEPL_CLIENT = re.compile(r"deepl-[a-z]+/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """What all attempts of a request have in common."""

    id: str
    fingerprint: str
    """Digest of the request."""
    remembered_s: float
    is_declared: bool
    """Whether the client has said so, rather than sent equal bytes."""

    def part(self, name: str) -> "Repetition":
        """The repetition of a part of the request that is charged for itself."""
        return replace(self, id=f"{self.id}:{name}")


async def declared_repetition(
    request: Request, content: Iterable[bytes] | None = None
) -> Repetition | None:
    """The repetition that a request's `Idempotency-Key` names; None without the header.

    Args:
        request: Its body has been read.
        content: Stands for the body, where that is not kept.

    Raises:
        InvalidRequestError: The header is malformed.
    """
    given = request.headers.getlist(IDEMPOTENCY_KEY)
    if not given:
        return None
    found = _VALID_KEY.fullmatch(given[0].strip())
    key = (found[1] or found[2]) if found else ""
    if len(given) > 1 or not 0 < len(key) <= MAX_KEY_CHARS:
        raise InvalidRequestError(
            f"Invalid request: {IDEMPOTENCY_KEY} must be one string of 1 to {MAX_KEY_CHARS} "
            "printable ASCII characters without quotes and backslashes, such as a UUID"
        )
    return Repetition(
        id="key:" + _digest([key.encode()]),
        fingerprint=await _fingerprint(request, content),
        remembered_s=REMEMBERED_S,
        is_declared=True,
    )


async def deepl_repetition(
    request: Request, content: Iterable[bytes] | None = None
) -> Repetition | None:
    """The repetition of a request of DeepL's dialect; its official clients send no header.

    They repeat the same bytes after a lost connection, so equal requests of such a client that
    follow one another within seconds count as one.

    Args:
        request: Its body has been read.
        content: Stands for the body, where that is not kept.
    """
    declared = await declared_repetition(request, content)
    if declared or not _DEEPL_CLIENT.match(request.headers.get("User-Agent", "")):
        return declared
    fingerprint = await _fingerprint(request, content)
    return Repetition(
        id="equal:" + fingerprint,
        fingerprint=fingerprint,
        remembered_s=DEEPL_REMEMBERED_S,
        is_declared=False,
    )


async def _fingerprint(request: Request, content: Iterable[bytes] | None = None) -> str:
    head = [request.url.path.encode(), request.scope["query_string"]]
    return _digest([*head, *(content if content is not None else [await request.body()])])


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
