"""Where clients of the dialects put their key: in a header of their own, or in the address."""

import base64
import binascii
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request

from service.api.dependencies import Caller, PartsOf

_SCHEMES = ("bearer", "deepl-auth-key")


def caller_with_key(
    *, query: str = "token", header: str | None = None
) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """A dependency that finds the account of a request before its body is read.

    `Authorization: Bearer KEY` wins; then come the header, `Authorization` with nothing but the key
    or with it as the password of `Basic`, and the query string.

    Args:
        query: Parameter of the query string that holds a key.
        header: Header that holds a key; None: there is none.
    """

    async def caller(request: Request, parts: PartsOf) -> Caller:
        key = _key(request, query, header)
        is_named = bool(key) or parts.keys.names_account(request)
        account = await parts.keys.account(request, key) if is_named else None
        return Caller(request, parts.keys, account)

    return caller


CallerOf = Annotated[Caller, Depends(caller_with_key())]
"""To be named before the parameters, as `dependencies.CallerOf`."""


def _key(request: Request, query: str, header: str | None) -> str:
    in_header = request.headers.get(header, "") if header else ""
    return in_header or _unusual_key(request) or request.query_params.get(query, "")


def _unusual_key(request: Request) -> str:
    """A key that is all of the Authorization header, or the password of an address."""
    scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "basic":
        return _password(given)
    return "" if given or scheme.lower() in _SCHEMES else scheme


def _password(credentials: str) -> str:
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return decoded.partition(":")[2]
