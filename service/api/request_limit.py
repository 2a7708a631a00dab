"""Requests for which there is no room are refused before anything is read of them."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware import HttpMiddleware
from service.api.request_room import RequestRoom


class RequestLimitMiddleware(HttpMiddleware):
    """Refuses at a fraction of what reading a request costs, so that a flood leaves time to work.

    What is asked with GET (pages, probes, metrics) is always let in. A request counts from when all
    of it is there: who is slow to send it takes nothing but a connection.
    """

    def __init__(self, app: ASGIApp, room: RequestRoom) -> None:
        super().__init__(app)
        self._room = room

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        if self._room.is_full(address):
            await self._room.refusal(scope["path"])(scope, receive, send)
            return
        is_inside = False

        async def receive_and_count() -> Message:
            nonlocal is_inside
            message = await receive()
            if not is_inside and not message.get("more_body", False):
                is_inside = True
                self._room.enter(address)
            return message

        try:
            await self._app(scope, receive_and_count, send)
        finally:
            if is_inside:
                self._room.leave(address)
