"""Runs work on long texts in a thread, so that the event loop stays free."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_MAX_INLINE_CHARS = 8_000
"""Longer texts go to a thread; for shorter ones the switch costs more than the work."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def offload(
    num_chars: int,
    function: Callable[Parameters, Result],
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Result:
    """Calls `function`, in a thread if it works on much text.

    Args:
        num_chars: Characters that it works on.
        function: Must be safe outside of the event loop.
        args: Its arguments.
        kwargs: Its arguments.
    """
    if num_chars <= _MAX_INLINE_CHARS:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
