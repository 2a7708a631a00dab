"""Which model serves which pair: loads the bundles, leases them, knows if they are well."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import LanguagePair
from service.errors import ShuttingDownError
from service.models.discovery import open_bundles
from service.models.loaded_model import LoadedModel, RegistryOptions, announce, load, warm_up
from service.models.routes import Routes
from service.observability.clock import Clock
from service.observability.metrics import Metrics

ServedPair = tuple[LoadedModel, LanguagePair]
"""A model, and which of its directions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """What is served at one moment; replaced as a whole, so that nobody sees half of a change."""

    models: tuple[LoadedModel, ...]
    by_pair: Mapping[tuple[str, str], ServedPair]
    routes: Routes

    @classmethod
    def of(cls, models: Sequence[LoadedModel], *, pivots: bool) -> "_Served":
        by_pair = {
            (pair.source, pair.target): (model, pair)
            for model in models
            for pair in model.bundle.manifest.pairs
        }
        return cls(models=tuple(models), by_pair=by_pair, routes=Routes(by_pair, pivots=pivots))

    def find(self, source: str, target: str) -> ServedPair:
        """The model of a direction.

        Raises:
            UnsupportedLanguageError: There is none.
        """
        found = self.by_pair.get((source.lower(), target.lower()))
        if found is None:
            raise self.routes.refusal(source, target)
        return found

    def route(self, source: str, target: str) -> tuple[ServedPair, ...]:
        """The models that translate from `source` to `target`, one after the other.

        Raises:
            UnsupportedLanguageError: There are none.
        """
        return tuple(self.by_pair[direction] for direction in self.routes.find(source, target))


class Registry:
    """All models of the process; safe between threads."""

    def __init__(self, models: Sequence[LoadedModel], *, pivots: bool = True) -> None:
        self._served = _Served.of(models, pivots=pivots)
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
            metrics: Receives what is measured.
            clock: Monotonic, seconds.

        Raises:
            StartupError: With every fault of every bundle.
        """
        opened = open_bundles(paths, num_threads=options.threads_per_worker)
        models = [load(sessions, options, metrics, clock) for sessions in opened]
        for model in models:
            announce(model, metrics)
        return cls(models, pivots=options.pivots)

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        """Those that are served now."""
        return self._served.models

    @property
    def routes(self) -> Routes:
        """What can be translated to what now."""
        return self._served.routes

    @property
    def running_models(self) -> tuple[LoadedModel, ...]:
        """Those that are served, and those that finish what they had when they were replaced."""
        with self._lock:
            return (*self._served.models, *self._retired)

    def start(self) -> None:
        """Start the workers and translate every canary once."""
        warm_up(self.models)

    @contextmanager
    def lease(self, source: str, target: str) -> Iterator[ServedPair]:
        """The model that translates from `source` to `target`, kept open until the context ends.

        Raises:
            UnsupportedLanguageError: There is none; names the language that is to blame.
        """
        with self._leased(lambda served: (served.find(source, target),)) as (found,):
            yield found

    @contextmanager
    def lease_route(self, source: str, target: str) -> Iterator[tuple[ServedPair, ...]]:
        """One model that translates from `source` to `target`, or two that do it together.

        Raises:
            UnsupportedLanguageError: There is no way.
        """
        with self._leased(lambda served: served.route(source, target)) as found:
            yield found

    @contextmanager
    def _leased(
        self, find: Callable[[_Served], tuple[ServedPair, ...]]
    ) -> Iterator[tuple[ServedPair, ...]]:
        found = find(self._served)
        while not _take(found):  # one was replaced since: there is a successor by now
            found = find(self._served)
        try:
            yield found
        finally:
            _give_back(found)

    def replace(self, models: Sequence[LoadedModel]) -> list[LoadedModel]:
        """Serve `models` from now on.

        Returns:
            Those that were served until now and no longer are; `retire` has to be called with each.

        Raises:
            ShuttingDownError: The registry was closed.
        """
        with self._lock:
            if self._is_closed:
                raise ShuttingDownError("the service is shutting down")
            replaced = [model for model in self._served.models if model not in models]
            self._served = _Served.of(models, pivots=self._pivots)
            self._retired += tuple(replaced)
        return replaced

    def retire(self, model: LoadedModel) -> None:
        """Wait until nobody uses a model that was replaced, and close it."""
        model.leases.end()
        model.close()
        with self._lock:
            self._retired = tuple(other for other in self._retired if other is not model)

    @property
    def is_busy(self) -> bool:
        """Whether a sentence is being translated, or waits for it."""
        return any(model.scheduler.is_busy for model in self.running_models)

    def unready_reason(self) -> str | None:
        """Why requests should go elsewhere, None if they should come; asks for fresh canaries."""
        if self._is_closed:
            return "the service is shutting down"
        for model in self.models:
            model.canary.check()
        faults = [f"{model.name}: {fault}" for model in self.models if (fault := model.fault)]
        return "; ".join(faults) or None

    def close(self) -> None:
        """Stop everything; whatever is left ends with an error."""
        with self._lock:
            self._is_closed = True
        for model in self.running_models:
            model.close()


def _take(found: Sequence[ServedPair]) -> bool:
    """Lease all, or none; returns which."""
    for number, (model, _) in enumerate(found):
        if not model.leases.take():
            _give_back(found[:number])
            return False
    return True


def _give_back(found: Sequence[ServedPair]) -> None:
    for model, _ in found:
        model.leases.give_back()
