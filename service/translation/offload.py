"""Work on much text, kept away from the event loop."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_MAX_INLINE_CHARS = 8_000
"""More text than this is cut and tokenised in a thread, so that the event loop stays free."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def offload(
    size: int,
    function: Callable[Parameters, Result],
    *args: Parameters.args,
    **kwargs: Parameters.kwargs,
) -> Result:
    """Call `function` in a thread if it has much text to work on; a hop costs more than a little.

    Args:
        size: Characters of text.
        function: Pure.
        args: Its arguments.
        kwargs: Its arguments.
    """
    if size <= _MAX_INLINE_CHARS:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
