"""Believes what trusted proxies say of a request's client: uvicorn's, where there is anything."""

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class ForwardedMiddleware(ProxyHeadersMiddleware):
    """Parses the address of the connection only for a request that has such a header."""

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serves one request."""
        if scope["type"] == "http" and not any(
            name.startswith(b"x-forwarded") for name, _ in scope["headers"]
        ):
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)
