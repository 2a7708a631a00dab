"""The registry of loaded models: which one serves a language pair, and whether all are ready."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import LanguagePair
from service.errors import ShuttingDownError
from service.models.discovery import open_bundles
from service.models.loaded_model import LoadedModel, RegistryOptions, load, report_loaded, warm_up
from service.models.routes import Routes
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.engine_shares import EngineShares

ServedPair = tuple[LoadedModel, LanguagePair]
"""A model and one of its language pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """The served models at one moment; replaced as a whole, so that every change is atomic."""

    models: tuple[LoadedModel, ...]
    by_pair: Mapping[tuple[str, str], ServedPair]
    routes: Routes

    @classmethod
    def of(cls, models: Sequence[LoadedModel], *, pivots: bool) -> "_Snapshot":
        by_pair = {
            (pair.source, pair.target): (model, pair)
            for model in models
            for pair in model.bundle.manifest.pairs
        }
        return cls(models=tuple(models), by_pair=by_pair, routes=Routes(by_pair, pivots=pivots))

    def find(self, source: str, target: str) -> ServedPair:
        """The model of a language pair.

        Raises:
            UnsupportedLanguageError: No model translates it.
        """
        return self.by_pair[self.routes.direct(source, target)]

    def route(self, source: str, target: str) -> tuple[ServedPair, ...]:
        """The models that translate from `source` to `target`, one after the other.

        Raises:
            UnsupportedLanguageError: No models do.
        """
        return tuple(self.by_pair[direction] for direction in self.routes.find(source, target))


class Registry:
    """All models of the process; safe between threads."""

    def __init__(
        self, models: Sequence[LoadedModel], *, pivots: bool = True, max_engines: int = 0
    ) -> None:
        """Serve models, once they are started.

        Args:
            models: Loaded ones.
            pivots: Whether missing pairs are translated with two of them.
            max_engines: Engine processes that work at once; 0: threads do.
        """
        self._shares = EngineShares(
            lambda: [model.scheduler for model in self.models], max_engines=max_engines
        )
        self._served = _Snapshot.of(models, pivots=pivots)
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
        """Verify and load bundles; nothing runs before `start`.

        Args:
            paths: Bundle folders, or folders of bundle folders.
            options: How to run them.
            metrics: Metrics of the service.
            clock: Monotonic, seconds.

        Raises:
            StartupError: With every fault of every bundle.
        """
        opened = open_bundles(
            paths,
            num_threads=options.threads_per_worker,
            opens_graphs=options.scheduler.decodes_here,
        )
        models = [load(sessions, options, metrics, clock) for sessions in opened]
        for model in models:
            report_loaded(model, metrics)
        return cls(models, pivots=options.pivots, max_engines=options.scheduler.num_engines)

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        """Models that are served now."""
        return self._served.models

    @property
    def routes(self) -> Routes:
        """Which languages can be translated to which now."""
        return self._served.routes

    @property
    def running_models(self) -> tuple[LoadedModel, ...]:
        """Served models, and replaced ones that still finish their requests."""
        with self._lock:
            return (*self._served.models, *self._retired)

    def start(self) -> None:
        """Start the workers and translate every canary once."""
        warm_up(self.models, is_alone=len(self.models) == 1)
        self._shares.start()

    @contextmanager
    def lease(self, source: str, target: str) -> Iterator[ServedPair]:
        """The model that translates from `source` to `target`, kept open for the context.

        Raises:
            UnsupportedLanguageError: No model does; names the unsupported language.
        """
        with self._leased(lambda served: (served.find(source, target),)) as (found,):
            yield found

    @contextmanager
    def lease_route(self, source: str, target: str) -> Iterator[tuple[ServedPair, ...]]:
        """One model that translates from `source` to `target`, or two that do so together.

        Raises:
            UnsupportedLanguageError: No models do.
        """
        with self._leased(lambda served: served.route(source, target)) as found:
            yield found

    @contextmanager
    def _leased(
        self, find: Callable[[_Snapshot], tuple[ServedPair, ...]]
    ) -> Iterator[tuple[ServedPair, ...]]:
        found = find(self._served)
        while not _acquire_all(found):  # a model was replaced since; its successor is served
            found = find(self._served)
        try:
            yield found
        finally:
            _release_all(found)

    def replace(self, models: Sequence[LoadedModel]) -> list[LoadedModel]:
        """Serve `models` from now on.

        Returns:
            Models that are no longer served; `retire` must be called with each.

        Raises:
            ShuttingDownError: The registry was closed.
        """
        with self._lock:
            if self._is_closed:
                raise ShuttingDownError("the service is shutting down")
            replaced = [model for model in self._served.models if model not in models]
            self._served = _Snapshot.of(models, pivots=self._pivots)
            self._retired += tuple(replaced)
        return replaced

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
        """Why no requests should be sent here; None: ready. Starts canaries that are due."""
        if self._is_closed:
            return "the service is shutting down"
        for model in self.models:
            model.canary.check()
        faults = [f"{model.name}: {fault}" for model in self.models if (fault := model.fault)]
        return "; ".join(faults) or None

    def close(self) -> None:
        """Stop all models; unfinished jobs end with an error."""
        with self._lock:
            self._is_closed = True
        self._shares.close()
        for model in self.running_models:
            model.close()


def _acquire_all(found: Sequence[ServedPair]) -> bool:
    """Acquire all models or none; returns whether all."""
    for number, (model, _) in enumerate(found):
        if not model.references.acquire():
            _release_all(found[:number])
            return False
    return True


def _release_all(found: Sequence[ServedPair]) -> None:
    for model, _ in found:
        model.references.release()
