"""Who learns that a client has left."""

import asyncio

from starlette.requests import Request
from starlette.types import Message

from service.api.requests.departure import EXTENSION, Departure, has_left, on_departure


def _request(departure: Departure) -> Request:
    return Request({"type": "http", "extensions": {EXTENSION: {"connection": departure}}})


def test_every_listener_is_told_once() -> None:
    told: list[str] = []
    departure = Departure(lambda: told.append("read on"))
    request = _request(departure)
    on_departure(request, lambda: told.append("one"))
    stop = on_departure(request, lambda: told.append("other"))
    on_departure(request, lambda: told.append("third"))
    stop()
    assert not has_left(request)
    departure.announce()
    departure.announce()
    assert told == ["read on", "read on", "read on", "one", "third"]
    assert has_left(request)


def test_other_servers_are_asked() -> None:
    leaving = asyncio.Event()

    async def receive() -> Message:
        await leaving.wait()
        return {"type": "http.disconnect"}

    async def scenario() -> None:
        told: list[str] = []
        request = Request({"type": "http"}, receive)
        on_departure(request, lambda: told.append("left"))
        stop = on_departure(request, lambda: told.append("stopped"))
        await asyncio.sleep(0)
        stop()
        leaving.set()
        for _ in range(4):
            await asyncio.sleep(0)
        assert told == ["left"]
        assert not has_left(request)

    asyncio.run(scenario())
