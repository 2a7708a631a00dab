"""Where clients of the dialects put their key: in a header of their own, or in the address."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request

from service.api.dependencies import Caller, PartsOf

_SCHEMES = ("bearer", "deepl-auth-key", "basic")


def caller_with_key(
    *, query: str = "token", header: str | None = None
) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """A dependency that finds the account of a request before its body is read.

    `Authorization: Bearer KEY` wins; then come the header, the same header `Authorization` with
    nothing but the key, and the query string.

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


def _key(request: Request, query: str, header: str | None) -> str:
    in_header = request.headers.get(header, "") if header else ""
    return in_header or _bare_key(request) or request.query_params.get(query, "")


def _bare_key(request: Request) -> str:
    """An Authorization header that is a key without the name of a scheme before it."""
    given = request.headers.get("Authorization", "").strip()
    return "" if " " in given or given.lower() in _SCHEMES else given
