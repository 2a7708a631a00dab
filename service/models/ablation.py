"""Models without some of their heads, made for a request: at most one at a time.

It has an engine of its own, so translations with the whole model neither wait for its start nor
share its steps. It is kept for a while, because questions about one head come in a row.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from bundle.errors import InvalidBundleError
from service.engine.ablation import Heads, bundle_without
from service.engine.graphs.sessions import Sessions
from service.errors import InvalidRequestError, NotReadyError, StartupError
from service.models.loaded_model import LoadedModel, load
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.deadline import deadline
from service.scheduling.single_flight import SharingOptions

KEPT_S = 30.0
"""How long a model without heads stays after its last request."""
_Key = tuple[str, Heads]


@dataclass(slots=True, kw_only=True, eq=False)
class _Ablated:
    """A model without heads, and who uses it."""

    key: _Key
    model: LoadedModel
    num_users: int = 0
    unused: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while there is no user."""
    closing: asyncio.TimerHandle | None = None


class AblatedModels:
    """Lends models without heads; used from one event loop."""

    def __init__(
        self, metrics: Metrics, clock: Clock = time.monotonic, *, kept_s: float = KEPT_S
    ) -> None:
        """Make none yet.

        Args:
            metrics: Of all models.
            clock: Of the schedulers.
            kept_s: How long an unused one stays.
        """
        self._metrics = metrics
        self._clock = clock
        self._kept_s = kept_s
        self._entering = asyncio.Lock()
        self._current: _Ablated | None = None

    @asynccontextmanager
    async def lease(
        self, model: LoadedModel, heads: Heads, *, timeout_s: float | None = None
    ) -> AsyncIterator[LoadedModel]:
        """The model without some heads, which exist in it; itself if there are none.

        Requests for other heads wait until it is unused, in the order in which they came.

        Raises:
            InvalidRequestError: The bundle's heads cannot be left out.
            NotReadyError: It does not start.
            DeadlineExceededError: It was not lent within `timeout_s`.
        """
        if not heads:
            yield model
            return
        async with deadline(timeout_s, "the deadline passed before the heads were left out"):
            found = await self._entered(model, heads)
        try:
            yield found.model
        finally:
            self._leave(found)

    def close(self) -> None:
        """Stop the model that is kept."""
        if self._current is not None:
            self._current.model.close()
            self._current = None

    async def _entered(self, model: LoadedModel, heads: Heads) -> _Ablated:
        key = (model.bundle.sha256, heads)
        async with self._entering:
            if self._current is None or self._current.key != key:
                await self._replace(key, model)
            found = self._current
            assert found is not None
            if found.closing is not None:
                found.closing.cancel()
            found.num_users += 1
            found.unused.clear()
            return found

    async def _replace(self, key: _Key, model: LoadedModel) -> None:
        if self._current is not None:
            if self._current.num_users:
                await self._current.unused.wait()
            await asyncio.to_thread(self.close)
        starting = asyncio.create_task(asyncio.to_thread(self._started, model, key[1]))
        try:
            started = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_close_started)
            raise
        self._current = _Ablated(key=key, model=started)

    def _leave(self, found: _Ablated) -> None:
        found.num_users -= 1
        if found.num_users:
            return
        found.unused.set()
        loop = asyncio.get_running_loop()
        found.closing = loop.call_later(self._kept_s, self._close_unused, found)

    def _close_unused(self, found: _Ablated) -> None:
        if self._current is found and not found.num_users:
            self._current = None
            asyncio.get_running_loop().run_in_executor(None, found.model.close)

    def _started(self, model: LoadedModel, heads: Heads) -> LoadedModel:
        """A copy of a model with one engine on this machine, without a canary: it would differ."""
        try:
            bundle = bundle_without(model.bundle, heads)
        except InvalidBundleError as error:
            raise InvalidRequestError(f"Invalid request: without_heads: {error}") from error
        scheduler = replace(
            model.options.scheduler,
            num_engines=0 if model.options.scheduler.decodes_here else 1,
            num_workers=1,
            elsewhere=None,
            sharing=SharingOptions(),
        )
        sessions = Sessions(bundle=bundle, num_threads=model.sessions.num_threads)
        made = load(
            sessions, replace(model.options, scheduler=scheduler), self._metrics, self._clock
        )
        try:
            made.scheduler.start()
        except StartupError as error:
            made.close()
            raise NotReadyError(str(error)) from error
        return made


def _close_started(starting: "asyncio.Task[LoadedModel]") -> None:
    if not starting.cancelled() and starting.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, starting.result().close)
