"""Which model serves which pair: starts what runs the bundles, knows if they are well."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.admission import Clock
from service.bundle_folders import open_bundles
from service.canary import Canary
from service.engine.sessions import Sessions
from service.errors import ShuttingDownError, StartupError, UnsupportedLanguageError
from service.leases import Leases
from service.scheduler import Scheduler, SchedulerOptions
from service.telemetry import Metrics

_CANARY_START_S = 30.0
"""How long anybody waits for the first canary of a model."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """How every bundle is run."""

    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    threads_per_worker: int = 1
    """Threads within one operator; with several workers 1 is fastest."""
    canary_interval_s: float = 60.0
    max_silence_s: float = 10.0
    """A worker that has not come round for this long is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedModel:
    """A bundle with everything that runs it; equal to nothing but itself."""

    bundle: Bundle
    sessions: Sessions
    scheduler: Scheduler
    canary: Canary
    options: RegistryOptions
    leases: Leases = field(default_factory=Leases)

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.manifest.name

    @property
    def fault(self) -> str | None:
        """Why it cannot serve, as last seen; None if it can."""
        if not self.scheduler.is_alive(self.options.max_silence_s):
            return f"no heart-beat for {self.options.max_silence_s:g} s"
        return self.canary.fault

    def start(self) -> None:
        """Start the workers and begin to translate the canary."""
        self.scheduler.start()
        self.canary.check()

    def close(self) -> None:
        """Stop the workers; whatever is left ends with an error."""
        self.leases.close()
        self.scheduler.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """What is served at one moment; replaced as a whole, so that nobody sees half of a change."""

    models: tuple[LoadedModel, ...]
    by_pair: Mapping[tuple[str, str], tuple[LoadedModel, LanguagePair]]

    @classmethod
    def of(cls, models: Sequence[LoadedModel]) -> "_Served":
        by_pair = {
            (pair.source, pair.target): (model, pair)
            for model in models
            for pair in model.bundle.manifest.pairs
        }
        return cls(models=tuple(models), by_pair=by_pair)


class Registry:
    """All models of the process; safe between threads."""

    def __init__(self, models: Sequence[LoadedModel]) -> None:
        self._served = _Served.of(models)
        self._retired: tuple[LoadedModel, ...] = ()
        self._lock = threading.Lock()
        self._is_draining = False

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
        return cls(models)

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        """Those that are served now."""
        return self._served.models

    @property
    def running_models(self) -> tuple[LoadedModel, ...]:
        """Those that are served, and those that finish what they had when they were replaced."""
        with self._lock:
            return (*self._served.models, *self._retired)

    def start(self) -> None:
        """Start the workers and translate every canary once."""
        warm_up(self.models)

    def find(self, source: str, target: str) -> tuple[LoadedModel, LanguagePair]:
        """The model that translates from `source` to `target`, in any case of letters.

        Raises:
            UnsupportedLanguageError: There is none; names the language that is to blame.
        """
        source, target = source.lower(), target.lower()
        by_pair = self._served.by_pair
        found = by_pair.get((source, target))
        if found is None:
            is_source = any(pair_source == source for pair_source, _ in by_pair)
            raise UnsupportedLanguageError(f"{target if is_source else source} is not supported")
        return found

    @contextmanager
    def lease(self, source: str, target: str) -> Iterator[tuple[LoadedModel, LanguagePair]]:
        """Like `find`, for work with the model: it runs until the work has ended.

        Raises:
            UnsupportedLanguageError: Likewise.
        """
        model, pair = self.find(source, target)
        while not model.leases.take():  # it was replaced since: there is a successor by now
            model, pair = self.find(source, target)
        try:
            yield model, pair
        finally:
            model.leases.give_back()

    def replace(self, models: Sequence[LoadedModel]) -> list[LoadedModel]:
        """Serve `models` from now on.

        Returns:
            Those that were served until now and no longer are; `retire` has to be called with each.

        Raises:
            ShuttingDownError: The registry was closed.
        """
        with self._lock:
            if self._is_draining:
                raise ShuttingDownError("the service is shutting down")
            replaced = [model for model in self._served.models if model not in models]
            self._served = _Served.of(models)
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
        if self._is_draining:
            return "the service is shutting down"
        for model in self.models:
            model.canary.check()
        faults = [f"{model.name}: {fault}" for model in self.models if (fault := model.fault)]
        return "; ".join(faults) or None

    def drain(self, timeout_s: float) -> bool:
        """Accept nothing more and wait until all that was accepted has ended.

        Returns:
            Whether that took less than `timeout_s` seconds.
        """
        with self._lock:
            self._is_draining = True
        for model in self.models:
            model.scheduler.drain(0)  # all stop accepting before any is waited for
        until_s = time.monotonic() + timeout_s
        remaining = (max(0.0, until_s - time.monotonic()) for _ in self.models)
        return all(m.scheduler.drain(t) for m, t in zip(self.models, remaining, strict=True))

    def close(self) -> None:
        """Stop everything; whatever is left ends with an error."""
        with self._lock:
            self._is_draining = True
        for model in self.running_models:
            model.close()


def load(
    sessions: Sessions, options: RegistryOptions, metrics: Metrics, clock: Clock = time.monotonic
) -> LoadedModel:
    """A model that is ready to start.

    Raises:
        StartupError: The options cannot work.
    """
    bundle = sessions.bundle
    try:
        scheduler = Scheduler(sessions, options.scheduler, metrics, clock)
    except ValueError as error:
        raise StartupError(str(error)) from error
    canary = Canary(bundle, scheduler, metrics, interval_s=options.canary_interval_s, clock=clock)
    return LoadedModel(
        bundle=bundle, sessions=sessions, scheduler=scheduler, canary=canary, options=options
    )


def warm_up(models: Sequence[LoadedModel]) -> None:
    """Start models and translate the canary of each once."""
    for model in models:
        model.start()
    for model in models:
        model.canary.wait(_CANARY_START_S)


def announce(model: LoadedModel, metrics: Metrics) -> None:
    """Say that a model is served."""
    metrics.model_info.labels(**_labels(model)).set(1)
    _log.info("model loaded", extra={"model": model.name, "folder": str(model.bundle.path)})


def withdraw(model: LoadedModel, metrics: Metrics) -> None:
    """Say that a model is no longer served."""
    metrics.model_info.remove(*_labels(model).values())
    _log.info("model replaced", extra={"model": model.name, "folder": str(model.bundle.path)})


def _labels(model: LoadedModel) -> dict[str, str]:
    """In the order in which the metric has them."""
    manifest = model.bundle.manifest
    return {
        "name": manifest.name,
        "pairs": ",".join(str(pair) for pair in manifest.pairs),
        "precision": manifest.precision,
        "sha256": model.bundle.sha256,
    }
