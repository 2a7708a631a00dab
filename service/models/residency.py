"""Which served bundles are loaded: from their first use, within a budget, until they are idle.

A request claims all bundles that it needs at once and holds none while it waits, so no two requests
can wait for each other. Claims that need room are served in order of arrival. The least recently
used bundle leaves first, and never while a request has it.
"""

import gc
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bundle.reader import Bundle
from service.errors import NotReadyError, ShuttingDownError, StartupError
from service.models.claim import Claim
from service.models.loaded_model import LoadedModel, ResidencyOptions
from service.models.served_bundle import LoadFailure, ServedBundle
from service.observability.clock import Clock
from service.observability.metrics import Metrics

LOOK_S = 1.0
"""How often idle bundles and the memory of the loaded ones are looked at."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""Before a bundle that could not be loaded is tried again; doubled with each failure."""
NUM_LOADERS = 4
"""Bundles that are loaded side by side."""
_COPIES = 2
"""Of a bundle's files: in sealed memory, and prepared for its kernels."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How a bundle is loaded, and its memory measured."""

    load: Callable[[Bundle], LoadedModel]
    """Verifies a described bundle, and makes its model."""
    start: Callable[[LoadedModel], None]
    """Starts and checks a model."""
    engine_bytes: Callable[[], Mapping[str, int]]
    """Memory of the engines of each bundle, by its digest."""
    free: Callable[[], object] = gc.collect
    """Frees closed models: tokenizer and sealed files are in circles with their scheduler."""


class Residency:
    """Loads and unloads served bundles; safe between threads."""

    def __init__(
        self,
        served: Iterable[ServedBundle],
        loading: Loading,
        options: ResidencyOptions,
        metrics: Metrics,
        clock: Clock = time.monotonic,
    ) -> None:
        """Load nothing before the first claim.

        Args:
            served: Bundles, none of them loaded.
            loading: How to load one.
            options: What stays loaded.
            metrics: Counts loads and unloads.
            clock: Monotonic, seconds.
        """
        self._loading = loading
        self._options = options
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._known: list[ServedBundle] = []
        self._line: deque[Claim] = deque()
        """Claims without room, in order of arrival."""
        self._pending: list[Claim] = []
        """Claims with room that wait for a bundle to be loaded."""
        self._is_closed = False
        self._stopping = threading.Event()
        self._loaders = ThreadPoolExecutor(NUM_LOADERS, thread_name_prefix="pellucid-load")
        self._unloader = ThreadPoolExecutor(1, thread_name_prefix="pellucid-unload")
        self._looking = threading.Thread(target=self._run, name="pellucid-residency", daemon=True)
        self.serve(served)

    def serve(self, served: Iterable[ServedBundle]) -> None:
        """Serve these from now on; others are unloaded once no request has them."""
        with self._lock:
            kept = tuple(served)
            for each in self._known:
                each.is_removed = each not in kept
            for each in kept:
                each.size_bytes = each.size_bytes or self._estimate(each.bundle)
            gone = [each for each in self._known if each.is_removed and each.is_resident]
            self._known = [*kept, *gone]
            self._sweep()

    def start(self) -> None:
        """Begin to look for idle bundles; a second call does nothing."""
        if self._looking.ident is None:
            self._looking.start()

    @asynccontextmanager
    async def claimed(
        self, wanted: Collection[ServedBundle], timeout_s: float | None
    ) -> AsyncIterator[None]:
        """Keep bundles loaded for the context; those that are not are loaded first.

        Raises:
            NotReadyError: One cannot be loaded.
            DeadlineExceededError: They were not loaded within `timeout_s`.
            ShuttingDownError: The service is stopping.
        """
        claim = self.claim(wanted)
        try:
            if not claim.ready.done():
                await claim.wait(timeout_s)
            claim.ready.result()
            yield
        finally:
            self.release(claim)

    def claim(self, wanted: Collection[ServedBundle]) -> Claim:
        """Ask for bundles; `release` must be called with the claim, whatever becomes of it.

        Raises:
            NotReadyError: One could not be loaded a moment ago.
            ShuttingDownError: The service is stopping.
        """
        claim = Claim(wanted=tuple(wanted))
        with self._lock:
            if self._is_closed:
                raise ShuttingDownError("the service is shutting down")
            self._refuse_failed(claim.wanted)
            if all(map(_is_at_hand, claim.wanted)):
                self._admit(claim)
            else:
                self._line.append(claim)
                self._advance()
        return claim

    def release(self, claim: Claim) -> None:
        """Let go of the bundles of a claim."""
        with self._lock:
            if claim.is_admitted:
                now_s = self._clock()
                for each in claim.wanted:
                    each.num_claims -= 1
                    each.used_s = now_s
            if claim in self._line:
                self._line.remove(claim)
            if claim in self._pending:
                self._pending.remove(claim)
            self._advance()
            self._sweep()

    def look(self) -> None:
        """Measure the loaded bundles, and unload what is idle or beyond the budget."""
        sizes = self._loading.engine_bytes()
        with self._lock:
            for each in self._known:
                if each.model is not None:
                    self._measure(each, sizes)
            self._sweep()
            self._advance()

    def close(self) -> None:
        """End all waiting claims, and models that are being started; loaded ones stay."""
        self._stopping.set()
        with self._lock:
            self._is_closed = True
            starting = [each.starting for each in self._known if each.starting is not None]
            for claim in (*self._line, *self._pending):
                claim.end(ShuttingDownError("the service is shutting down"))
            self._line.clear()
        for model in starting:
            model.close()
        self._loaders.shutdown(cancel_futures=True)
        self._unloader.shutdown()
        if self._looking.ident is not None:
            self._looking.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - what is loaded goes on
                _log.exception("models cannot be looked at")

    def _refuse_failed(self, wanted: Iterable[ServedBundle]) -> None:
        for each in wanted:
            if each.failure is not None and self._clock() < each.failure.retry_s:
                raise _not_ready(each, each.failure.retry_s - self._clock())

    def _advance(self) -> None:
        """Admit the claims that wait, as far as there is room."""
        for each in self._known:
            each.is_wanted_elsewhere = False
        while self._line and not self._is_closed and self._has_room(self._line[0]):
            self._admit(self._line.popleft())

    def _has_room(self, claim: Claim) -> bool:
        """Whether a claim can be admitted; if not, begins to make room for it."""
        if any(each.is_unloading for each in claim.wanted):
            return False  # tried again when that has ended
        needed = sum(each.size_bytes for each in claim.wanted if not each.is_resident)
        others = [e for e in self._known if e.is_resident and e not in claim.wanted]
        return self._lacking(needed) <= 0 or not others or self._make_room(needed, others)

    def _make_room(self, needed: int, others: Iterable[ServedBundle]) -> bool:
        """Let the least recently used bundles go; False: their memory is not free yet."""
        lacking = self._lacking(needed) - sum(e.size_bytes for e in others if e.is_unloading)
        for each in sorted(others, key=lambda e: (e.num_claims > 0, e.used_s)):
            if lacking <= 0:
                break
            if each.model is not None:
                each.is_wanted_elsewhere = True
                self._unload(each, "memory")
                lacking -= each.size_bytes
        return False

    def _lacking(self, needed: int) -> int:
        """Bytes over the budget with so many more; negative: so many are free."""
        if self._options.budget_bytes is None:
            return 0
        resident = sum(each.size_bytes for each in self._known if each.is_resident)
        return resident + needed - self._options.budget_bytes

    def _admit(self, claim: Claim) -> None:
        claim.is_admitted = True
        for each in claim.wanted:
            each.num_claims += 1
            if not each.is_resident:
                each.is_loading = True
                self._loaders.submit(self._load, each)
        if any(each.is_loading for each in claim.wanted):
            self._pending.append(claim)
        else:
            claim.end()

    def _load(self, served: ServedBundle) -> None:
        """Runs in a thread of its own."""
        begun_s = self._clock()
        model = None
        try:
            model = self._loading.load(served.bundle)
            with self._lock:
                served.starting = model
                is_closed = self._is_closed
            if is_closed:
                raise ShuttingDownError("the service is shutting down")
            self._loading.start(model)
        except Exception as error:  # noqa: BLE001 - the requests must be answered whatever it is
            if model is not None:
                model.close()
            self._fail(served, error)
        else:
            self._finish(served, model, self._clock() - begun_s)

    def _finish(self, served: ServedBundle, model: LoadedModel, took_s: float) -> None:
        sizes = self._loading.engine_bytes()
        with self._lock:
            served.model, served.starting, served.is_loading = model, None, False
            served.failure, served.used_s = None, self._clock()
            self._measure(served, sizes)
            self._settle()
            self._advance()
            self._sweep()
        self._metrics.models_loaded.inc()
        self._metrics.model_loads.labels(outcome="loaded").inc()
        fields = {"model": served.name, "seconds": round(took_s, 2)}
        _log.info("model loaded", extra=fields | {"megabytes": served.size_bytes // 1_000_000})

    def _fail(self, served: ServedBundle, error: Exception) -> None:
        is_known = isinstance(error, StartupError | ShuttingDownError)
        reason = str(error) if is_known else f"{type(error).__name__}: {error}"
        with self._lock:
            before = served.failure
            pause_s = min(2 * before.pause_s, LONGEST_PAUSE_S) if before else FIRST_PAUSE_S
            served.starting, served.is_loading = None, False
            served.failure = LoadFailure(
                reason=reason, pause_s=pause_s, retry_s=self._clock() + pause_s
            )
            for claim in [claim for claim in self._pending if served in claim.wanted]:
                self._pending.remove(claim)
                claim.end(_not_ready(served, pause_s))
            self._advance()
        self._metrics.model_loads.labels(outcome="failed").inc()
        _log.error(
            "model cannot be loaded",
            extra={"model": served.name, "reason": reason, "retry_s": pause_s},
        )

    def _settle(self) -> None:
        """End the claims whose bundles are all loaded."""
        ready = [c for c in self._pending if all(each.model is not None for each in c.wanted)]
        for claim in ready:
            self._pending.remove(claim)
            claim.end()

    def _sweep(self) -> None:
        """Unload what is idle, no longer served, or beyond the budget, where no request has it."""
        idle_s = self._options.unload_after_s
        for each in self._known:
            if each.is_removed:
                self._unload(each, "replaced")
            elif idle_s is not None and self._clock() - each.used_s >= idle_s:
                self._unload(each, "idle")
        loaded = sorted((e for e in self._known if e.model is not None), key=lambda e: e.used_s)
        for each in loaded[:-1]:  # the last one would be loaded again by the next request
            unloading = sum(e.size_bytes for e in self._known if e.is_unloading)
            if self._lacking(0) <= unloading:
                break
            self._unload(each, "memory")

    def _unload(self, served: ServedBundle, reason: str) -> None:
        """Begin to unload a bundle, unless a request has it."""
        model = served.model
        if self._is_closed or model is None or served.num_claims:
            return
        if not model.references.retire_if_unused():
            return
        served.model, served.is_unloading = None, True
        self._metrics.models_loaded.dec()
        self._metrics.model_unloads.labels(reason=reason).inc()
        _log.info("model unloaded", extra={"model": served.name, "reason": reason})
        self._unloader.submit(self._close, served, model)

    def _close(self, served: ServedBundle, model: LoadedModel) -> None:
        """Runs in a thread of its own: an engine takes a moment to end."""
        model.close()
        del model
        self._loading.free()
        with self._lock:
            served.is_unloading = False
            self._known = [each for each in self._known if _is_kept(each)]
            self._advance()

    def _estimate(self, bundle: Bundle) -> int:
        return _COPIES * _size_of(bundle) + self._options.engine_bytes

    def _measure(self, served: ServedBundle, sizes: Mapping[str, int]) -> None:
        engines = sizes.get(served.bundle.sha256)
        if engines:  # threads of the front cannot be told apart
            served.size_bytes = _size_of(served.bundle) + engines


def _not_ready(served: ServedBundle, pause_s: float) -> NotReadyError:
    return NotReadyError(
        f"the model {served.name} cannot be loaded: the log of the server says why; it is tried "
        f"again in {max(pause_s, 0.1):.1f} s",
        retry_after_s=max(pause_s, 0.1),
    )


def _is_at_hand(served: ServedBundle) -> bool:
    """Whether a claim needs no room for it, nor has to wait behind others."""
    is_there = served.model is not None or served.is_loading
    return is_there and not served.is_wanted_elsewhere


def _is_kept(served: ServedBundle) -> bool:
    return not served.is_removed or served.is_resident


def _size_of(bundle: Bundle) -> int:
    return sum(entry.size_bytes for entry in bundle.manifest.files.values())
