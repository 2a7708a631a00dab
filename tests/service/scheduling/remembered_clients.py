"""Which clients and requests a queue still holds data of."""

from collections.abc import Iterator
from typing import Any

from service.scheduling.fair_queue import ClientFlow
from service.scheduling.limits import Request


def remembered_clients(queue: object) -> set[str]:
    """Names of clients in any dictionary of a queue or of its parts."""
    # Types first, without a step of Python for each of thousands of keys: tests ask at every turn.
    with_names = (keys for keys in _dictionaries(queue) if str in set(map(type, keys)))
    return {key for keys in with_names for key in keys if isinstance(key, str)}


def remembered_requests(queue: object) -> set[Request]:
    """Requests in any dictionary of a queue or of its parts, alone or with their clients."""
    keys = (key for keys in _dictionaries(queue) for key in keys)
    parts = (part for key in keys for part in (key if isinstance(key, tuple) else (key,)))
    return {part for part in parts if isinstance(part, Request)}


def _dictionaries(part: object) -> Iterator[dict[Any, Any]]:
    for value in vars(part).values():
        if isinstance(value, dict):
            yield value
            if ClientFlow in set(map(type, value.values())):
                for flow in value.values():
                    yield from _dictionaries(flow.requests)
        elif type(value).__module__.startswith("service.scheduling") and hasattr(value, "__dict__"):
            yield from _dictionaries(value)
