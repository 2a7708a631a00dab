"""A request's claim to bundles: what it needs, and the end of its wait for them."""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.errors import DeadlineExceededError
from service.models.served_bundle import ServedBundle


@dataclass(slots=True, kw_only=True, eq=False)
class Claim:
    """Bundles that a request needs; ended by any thread, waited for on an event loop."""

    wanted: tuple[ServedBundle, ...]
    ready: "Future[None]" = field(default_factory=Future)
    """Ends when all of them are loaded, or one cannot be."""
    is_admitted: bool = False
    """Whether there is room for them; they stay loaded then."""

    async def wait(self, timeout_s: float | None) -> None:
        """Waits until the claim has ended.

        Raises:
            DeadlineExceededError: It did not end within `timeout_s`.
            ServiceError: What it ended with.
        """
        waiting = asyncio.wrap_future(self.ready)
        await asyncio.wait([waiting], timeout=timeout_s)
        if not waiting.done():
            waiting.cancel()
            names = ", ".join(each.name for each in self.wanted)
            raise DeadlineExceededError(f"{names} could not be loaded within the deadline")
        await waiting

    def end(self, error: Exception | None = None) -> None:
        """Ends the wait, with an error where a bundle cannot be had; a second call does nothing."""
        if self.ready.done() or not self.ready.set_running_or_notify_cancel():
            return
        if error is None:
            self.ready.set_result(None)
        else:
            self.ready.set_exception(error)
