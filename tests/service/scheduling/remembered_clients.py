"""Which clients and requests a queue still holds data of."""

from collections.abc import Hashable, Iterator

from service.scheduling.fair_queue import ClientFlow
from service.scheduling.limits import Request


def remembered_clients(queue: object) -> set[str]:
    """Names of clients in any dictionary of a queue or of its parts."""
    return {key for key in _keys(queue) if isinstance(key, str)}


def remembered_requests(queue: object) -> set[Request]:
    """Requests in any dictionary of a queue or of its parts, alone or with their clients."""
    parts = (part for key in _keys(queue) for part in (key if isinstance(key, tuple) else (key,)))
    return {part for part in parts if isinstance(part, Request)}


def _keys(part: object) -> Iterator[Hashable]:
    for value in vars(part).values():
        if isinstance(value, dict):
            yield from value
            for flow in value.values():
                if isinstance(flow, ClientFlow):
                    yield from _keys(flow.requests)
        elif type(value).__module__.startswith("service.scheduling") and hasattr(value, "__dict__"):
            yield from _keys(value)
