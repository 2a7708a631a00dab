"""Refuses requests whose `Host` header names another server: see `requests.host_names`."""

from collections.abc import Collection
from functools import lru_cache, partial
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware
from service.api.refusals.problems import problem
from service.api.requests.host_names import is_own_host
from service.settings import variable_of

_SHOWN_CHARS = 100


class AllowedHostsMiddleware(HttpMiddleware):
    """Answers 421 instead; requests without the header, as HTTP/1.0 has them, pass."""

    def __init__(self, app: ASGIApp, allowed: Collection[str], exempt: Collection[str]) -> None:
        """Wrap `app`.

        Args:
            app: The application.
            allowed: As for `is_own_host`.
            exempt: Paths for which any name does: load balancers send their own.
        """
        super().__init__(app)
        # Most requests name the same host; long names, which nothing would bound, are not kept.
        self._is_own = lru_cache(maxsize=256)(partial(is_own_host, allowed=allowed))
        self._allowed = allowed
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        host = Headers(scope=scope).get("Host") if scope["type"] == "http" else None
        if not host or scope["path"] in self._exempt or self._names_this(host):
            await self._app(scope, receive, send)
            return
        text = (
            f"{host[:_SHOWN_CHARS]!r} is no name of this server: ask for it by its address, or let "
            f"{variable_of('allowed_hosts')} name it"
        )
        code = "unknown_host"
        answer = problem(scope["path"], HTTPStatus.MISDIRECTED_REQUEST, code, text)
        await answer(scope, receive, send)

    def _names_this(self, host: str) -> bool:
        if len(host) > _SHOWN_CHARS:
            return is_own_host(host, self._allowed)
        return self._is_own(host)
