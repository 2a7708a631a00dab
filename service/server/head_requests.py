"""Answers HEAD as GET; uvicorn leaves out the body (RFC 9110, 9.3.2)."""

from typing import cast

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope


def answering_head(app: ASGI3Application) -> ASGI3Application:
    """The app for a HEAD request: it sees a GET, and logs it as one."""

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await app(cast("Scope", {**scope, "method": "GET"}), receive, send)

    return answer
