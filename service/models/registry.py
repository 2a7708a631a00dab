"""The registry of served bundles: which one serves a language pair, and whether all are ready."""

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bundle.languages import Direction
from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.errors import ShuttingDownError
from service.models.discovery import describe_bundles, open_bundles, open_described
from service.models.loaded_model import (
    LoadedModel,
    RegistryOptions,
    load,
    report_found,
    report_loaded,
    start_checked,
    warm_up,
)
from service.models.residency import Loading, Residency
from service.models.routes import Routes
from service.models.served_bundle import ServedBundle
from service.observability.clock import Clock
from service.observability.engine_memory import engine_bytes_by_bundle
from service.observability.metrics import Metrics
from service.scheduling.engine_shares import EngineShares

ServedPair = tuple[LoadedModel, LanguagePair]
"""A model and one of its language pairs."""
Route = tuple[ServedPair, ...]
"""One model, or two that translate one after the other."""
_Way = tuple[tuple[ServedBundle, LanguagePair], ...]
"""A route before its models are known to be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """The served bundles at one moment; replaced as a whole, so that every change is atomic."""

    bundles: tuple[ServedBundle, ...]
    by_pair: Mapping[Direction, tuple[ServedBundle, LanguagePair]]
    routes: Routes

    @classmethod
    def of(cls, bundles: Sequence[ServedBundle], *, pivots: bool) -> "_Snapshot":
        by_pair: dict[Direction, tuple[ServedBundle, LanguagePair]] = {}
        for served in bundles:
            for pair in served.bundle.manifest.pairs:  # of an installed one before the embedded
                by_pair.setdefault((pair.source, pair.target), (served, pair))
        routes = Routes(by_pair, pivots=pivots)
        return cls(bundles=tuple(bundles), by_pair=by_pair, routes=routes)

    def direct(self, source: str, target: str) -> _Way:
        """The bundle of a language pair.

        Raises:
            UnsupportedLanguageError: No model translates it.
        """
        return (self.by_pair[self.routes.direct(source, target)],)

    def way(self, source: str, target: str) -> _Way:
        """The bundles that translate from `source` to `target`, one after the other.

        Raises:
            UnsupportedLanguageError: No models do.
        """
        return tuple(self.by_pair[direction] for direction in self.routes.find(source, target))


_Find = Callable[[_Snapshot], Sequence[_Way]]


class Registry:
    """All served bundles of the process; safe between threads."""

    def __init__(
        self,
        models: Sequence[LoadedModel],
        *,
        pivots: bool = True,
        max_engines: int = 0,
        unloaded: Sequence[ServedBundle] = (),
        residency: Residency | None = None,
    ) -> None:
        """Serve models, once they are started.

        Args:
            models: Loaded ones.
            pivots: Whether missing pairs are translated with two of them.
            max_engines: Engine processes that work at once; 0: threads do.
            unloaded: Bundles that are loaded when they are needed.
            residency: Loads these, and unloads them; closed with the registry.
        """
        self._shares = EngineShares(
            lambda: [model.scheduler for model in self.models],
            max_engines=max_engines,
            may_be_joined=lambda: len(self._served.bundles) > 1,
        )
        served = [ServedBundle(bundle=model.bundle, model=model) for model in models]
        self._served = _Snapshot.of((*served, *unloaded), pivots=pivots)
        self._residency = residency
        self._pivots = pivots
        self._retired: tuple[LoadedModel, ...] = ()
        self._lock = threading.Lock()
        self._is_closed = False

    @classmethod
    def open(
        cls,
        paths: Sequence[Path],
        options: RegistryOptions,
        metrics: Metrics,
        clock: Clock = time.monotonic,
    ) -> "Registry":
        """Verify and load bundles, or describe them; nothing runs before `start`.

        Args:
            paths: Bundle folders, or folders of bundle folders.
            options: How to run them.
            metrics: Metrics of the service.
            clock: Monotonic, seconds.

        Raises:
            StartupError: With every fault of every bundle.
        """
        if options.residency is not None:
            return cls._describe(paths, options, metrics, clock)
        opened = open_bundles(
            paths,
            num_threads=options.threads_per_worker,
            opens_graphs=options.scheduler.decodes_here,
            verified=options.verified,
        )
        models = [load(sessions, options, metrics, clock) for sessions in opened]
        for model in models:
            report_loaded(model, metrics)
        return cls(models, pivots=options.pivots, max_engines=options.scheduler.num_engines)

    @classmethod
    def _describe(
        cls, paths: Sequence[Path], options: RegistryOptions, metrics: Metrics, clock: Clock
    ) -> "Registry":
        """A registry whose bundles are loaded when they are needed."""
        assert options.residency is not None, "it says how long they stay"
        served = [ServedBundle(bundle=bundle) for bundle in describe_bundles(paths)]
        for each in served:
            report_found(each.bundle, metrics)
        loading = Loading(
            load=partial(_load_described, options=options, metrics=metrics, clock=clock),
            start=partial(start_checked, is_alone=len(served) == 1),
            engine_bytes=engine_bytes_by_bundle,
        )
        return cls(
            (),
            pivots=options.pivots,
            max_engines=options.scheduler.num_engines,
            unloaded=served,
            residency=Residency(served, loading, options.residency, metrics, clock),
        )

    @property
    def served(self) -> tuple[ServedBundle, ...]:
        """Bundles that are served now, loaded or not."""
        return self._served.bundles

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        """Models that are loaded now, of served bundles."""
        return tuple(model for served in self.served if (model := served.model) is not None)

    @property
    def routes(self) -> Routes:
        """Which languages can be translated to which now."""
        return self._served.routes

    @property
    def running_models(self) -> tuple[LoadedModel, ...]:
        """Loaded models, and replaced ones that still finish their requests."""
        with self._lock:
            return (*self.models, *self._retired)

    def start(self) -> None:
        """Start the workers and translate every canary once."""
        warm_up(self.models, is_alone=len(self.served) == 1)
        if self._residency is not None:
            self._residency.start()
        self._shares.start()

    @asynccontextmanager
    async def lease(
        self, source: str, target: str, *, timeout_s: float | None = None
    ) -> AsyncIterator[ServedPair]:
        """The model that translates from `source` to `target`, kept loaded for the context.

        Raises:
            UnsupportedLanguageError: No model does; names the unsupported language.
            NotReadyError: It cannot be loaded.
            DeadlineExceededError: It was not loaded within `timeout_s`.
        """
        async with self._leased(lambda now: [now.direct(source, target)], timeout_s) as ((pair,),):
            yield pair

    def lease_routes(
        self, directions: Sequence[Direction], *, timeout_s: float | None = None
    ) -> AbstractAsyncContextManager[Sequence[Route]]:
        """For each direction a model, or two that translate it together, all kept loaded.

        Raises:
            UnsupportedLanguageError: No models translate one of them.
            NotReadyError: A model cannot be loaded.
            DeadlineExceededError: They were not loaded within `timeout_s`.
        """
        find: _Find = lambda now: [now.way(*direction) for direction in directions]  # noqa: E731
        return self._leased(find, timeout_s)

    @asynccontextmanager
    async def _leased(self, find: _Find, timeout_s: float | None) -> AsyncIterator[Sequence[Route]]:
        while True:  # until no bundle is replaced between being found and being acquired
            found = find(self._served)
            async with self._kept_loaded(found, timeout_s):
                routes = _acquire_all(found)
                if routes is None:
                    continue
                try:
                    yield routes
                finally:
                    _release_all(pair for route in routes for pair in route)
                return

    def _kept_loaded(
        self, found: Sequence[_Way], timeout_s: float | None
    ) -> AbstractAsyncContextManager[None]:
        if self._residency is None:
            return nullcontext()
        wanted = dict.fromkeys(served for way in found for served, _ in way)
        return self._residency.claimed(tuple(wanted), timeout_s)

    def replace(self, models: Sequence[LoadedModel]) -> list[LoadedModel]:
        """Serve `models` from now on.

        Returns:
            Models that are no longer served; `retire` must be called with each.

        Raises:
            ShuttingDownError: The registry was closed.
        """
        before = {served.model: served for served in self.served}
        bundles = [
            before.get(model) or ServedBundle(bundle=model.bundle, model=model) for model in models
        ]
        with self._lock:
            replaced = [model for model in self.models if model not in models]
            self._serve(bundles)
            self._retired += tuple(replaced)
        return replaced

    def replace_described(self, bundles: Sequence[Bundle]) -> list[ServedBundle]:
        """Serve bundles from now on that are loaded at first use; those that are served stay.

        Returns:
            Bundles that are no longer served; they are unloaded once no request has them.

        Raises:
            ShuttingDownError: The registry was closed.
        """
        assert self._residency is not None, "it loads them"
        before = {served.bundle.sha256: served for served in self.served}
        kept = [before.get(each.sha256) or ServedBundle(bundle=each) for each in bundles]
        with self._lock:
            self._serve(kept)
        self._residency.serve(kept)
        return [served for served in before.values() if served not in kept]

    def _serve(self, bundles: Sequence[ServedBundle]) -> None:
        if self._is_closed:
            raise ShuttingDownError("the service is shutting down")
        self._served = _Snapshot.of(bundles, pivots=self._pivots)

    def retire(self, model: LoadedModel) -> None:
        """Wait until a replaced model has no users, and close it."""
        model.references.wait_until_unused()
        model.close()
        with self._lock:
            self._retired = tuple(other for other in self._retired if other is not model)

    @property
    def is_busy(self) -> bool:
        """Whether a sentence is being translated or waits."""
        return any(model.scheduler.is_busy for model in self.running_models)

    def unready_reason(self) -> str | None:
        """Why no requests should be sent here; None: ready. Starts canaries that are due.

        Bundles that are not loaded are ready to be.
        """
        if self._is_closed:
            return "the service is shutting down"
        for model in self.models:
            model.canary.check()
        faults = [
            f"{served.name}: {fault}"
            for served in self.served
            if served.model is not None
            and (fault := served.fault)
            and served.model is not None  # nor was it unloaded meanwhile
        ]
        return "; ".join(faults) or None

    def close(self) -> None:
        """Stop all models; unfinished jobs end with an error."""
        with self._lock:
            self._is_closed = True
        self._shares.close()
        if self._residency is not None:
            self._residency.close()
        for model in self.running_models:
            model.close()


def _load_described(
    bundle: Bundle, *, options: RegistryOptions, metrics: Metrics, clock: Clock
) -> LoadedModel:
    sessions = open_described(
        bundle,
        num_threads=options.threads_per_worker,
        opens_graphs=options.scheduler.decodes_here,
        verified=options.verified,
    )
    return load(sessions, options, metrics, clock)


def _acquire_all(found: Sequence[_Way]) -> Sequence[Route] | None:
    """Acquire all models; None: one is no longer served, and none is acquired."""
    acquired: list[ServedPair] = []
    routes = []
    for way in found:
        route = []
        for served, pair in way:
            model = served.model
            if model is None or not model.references.acquire():
                _release_all(acquired)
                return None
            acquired.append((model, pair))
            route.append((model, pair))
        routes.append(tuple(route))
    return routes


def _release_all(pairs: Iterable[ServedPair]) -> None:
    for model, _ in pairs:
        model.references.release()
