"""Holds refusals of clients that are refused many times a second; nothing else waits."""

from collections.abc import Collection
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.request_log import HttpMiddleware
from service.api.refusals.pace import RefusalPace
from service.api.requests.client_scope import client_name, is_refused_at_once
from service.api.requests.in_flight import InFlight


class PacedRefusalsMiddleware(HttpMiddleware):
    """Keeps a refusal until its request has left the app, and then as long as its client's pace.

    Counted are all 4xx, and 503 while the service runs on.
    """

    def __init__(
        self, app: ASGIApp, pace: RefusalPace, in_flight: InFlight, probes: Collection[str]
    ) -> None:
        """Wrap `app`.

        Args:
            app: The application.
            pace: Of the refusals.
            in_flight: Says when the service stops: then nothing is held.
            probes: Paths whose 503 is an answer, which never waits.
        """
        super().__init__(app)
        self._pace = pace
        self._in_flight = in_flight
        self._probes = frozenset(probes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal: list[Message] = []

        async def send_unless_refusal(message: Message) -> None:
            status = message.get("status", HTTPStatus.OK)
            if refusal or (status >= HTTPStatus.BAD_REQUEST and self._is_refusal(scope, status)):
                refusal.append(message)
            else:
                await send(message)

        await self._app(scope, receive, send_unless_refusal)
        if refusal:
            await self._pace.take(client_name(scope))
            for message in refusal:
                await send(message)

    def _is_refusal(self, scope: Scope, status: int) -> bool:
        if not self._in_flight.is_open or is_refused_at_once(scope):
            return False
        return status < HTTPStatus.INTERNAL_SERVER_ERROR or (
            status == HTTPStatus.SERVICE_UNAVAILABLE and scope["path"] not in self._probes
        )
