"""Answers HEAD as GET; uvicorn leaves out the body (RFC 9110, 9.3.2)."""

from typing import cast

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

from service.api.requests.asked_method import ASKED_METHOD


def answering_head(app: ASGI3Application) -> ASGI3Application:
    """The app for a HEAD request: it sees a GET, and logs what was asked."""

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        seen = {**scope, "method": "GET", ASKED_METHOD: "HEAD"}
        await app(cast("Scope", seen), receive, send)

    return answer


class HeadRequestsMiddleware:
    """Does the same where connections are another server's: uvicorn's as well, but not ours."""

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app
        self._answer = answering_head(app)

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serves one request."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await (self._answer if is_head else self._app)(scope, receive, send)
