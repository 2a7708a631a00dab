"""A bundle that engines elsewhere serve, and whether they are well."""

import asyncio
import time

from bundle.reader import Bundle
from service.cluster.call import LostEngineError
from service.cluster.remote_engine import RemoteEngine
from service.observability.clock import Clock

PROBE_INTERVAL_S = 2.0
"""A verdict younger than this is not asked for again."""
PROBE_TIMEOUT_S = 5.0


class RemoteModel:
    """What the door knows of a bundle; belongs to one event loop."""

    def __init__(
        self,
        bundle: Bundle,
        engine: RemoteEngine,
        clock: Clock = time.monotonic,
        *,
        timeout_s: float = PROBE_TIMEOUT_S,
    ) -> None:
        self.bundle = bundle
        self.engine = engine
        self._clock = clock
        self._timeout_s = timeout_s
        self._probe: asyncio.Task[None] | None = None
        self._probed_s: float | None = None
        self._fault: str | None = "no engine has answered yet"

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.manifest.name

    @property
    def fault(self) -> str | None:
        """Why it cannot serve, as last seen; None if it can."""
        return self._fault

    def check(self) -> None:
        """Ask an engine how it is, unless one is being asked or the last answer is fresh."""
        is_asked = self._probe is not None and not self._probe.done()
        is_fresh = self._probed_s is not None and self._clock() - self._probed_s < PROBE_INTERVAL_S
        if not is_asked and not is_fresh:
            self._probed_s = self._clock()
            self._probe = asyncio.create_task(self.probe())

    async def probe(self) -> None:
        """Ask an engine how it is, whenever that was done last."""
        try:
            async with asyncio.timeout(self._timeout_s):
                self._fault = await self.engine.fault()
        except TimeoutError:
            self._fault = f"no engine has answered within {self._timeout_s:g} s"
        except LostEngineError:
            pass  # the last verdict stands: another engine is asked next time
