"""A loaded bundle: sessions, scheduler, canary and the count of its users."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bundle.reader import Bundle
from bundle.verified import VerifiedFiles
from service.engine.graphs.sessions import Sessions
from service.errors import StartupError
from service.models.canary import Canary
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.scheduler import Scheduler, SchedulerOptions


class ReferenceCount:
    """Counts the users of a model, so that it is closed after the last; safe between threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._num_users = 0
        self._is_retired = False
        self._is_closed = False

    def acquire(self) -> bool:
        """Count one more user; False: the model is retired and must not be used."""
        with self._changed:
            if self._is_retired:
                return False
            self._num_users += 1
            return True

    def release(self) -> None:
        """Count one user less."""
        with self._changed:
            self._num_users -= 1
            self._changed.notify_all()

    def retire_if_unused(self) -> bool:
        """Accept no new user, if there is none now; returns whether that is so."""
        with self._changed:
            if self._num_users or self._is_retired:
                return False
            self._is_retired = True
            return True

    def wait_until_unused(self) -> None:
        """Accept no new user, and wait for the last one to leave or for `close`."""
        with self._changed:
            self._is_retired = True
            self._changed.wait_for(lambda: self._is_closed or self._num_users == 0)

    def close(self) -> None:
        """End `wait_until_unused` at once."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


ENGINE_BYTES = 70_000_000
"""Memory of an engine process without its weights, before it is measured."""
_CANARY_START_S = 30.0
"""Longest wait for the first canary of a model."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidencyOptions:
    """How long and how much is kept loaded."""

    unload_after_s: float | None = None
    """Time without a request until a bundle is unloaded; None: never for that."""
    budget_bytes: int | None = None
    """Memory of loaded bundles, above which others are unloaded; None: no limit."""
    engine_bytes: int = ENGINE_BYTES
    """What an engine takes beside the files of its bundle, before it is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """Options of running a bundle, the same for all."""

    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    threads_per_worker: int = 1
    """Threads within one operator; with several workers 1 is fastest."""
    canary_interval_s: float = 60.0
    heartbeat_timeout_s: float = 10.0
    """Longest interval between heartbeats of a live worker."""
    pivots: bool = True
    """Whether a language pair without a model is translated with two, via a third language."""
    verified: VerifiedFiles | None = None
    """Records of files that need not be hashed again."""
    residency: ResidencyOptions | None = None
    """None: all bundles are loaded at the start, and stay."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedModel:
    """A bundle with everything that runs it; compared by identity."""

    bundle: Bundle
    sessions: Sessions
    scheduler: Scheduler
    canary: Canary
    options: RegistryOptions
    references: ReferenceCount = field(default_factory=ReferenceCount)

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.manifest.name

    @property
    def fault(self) -> str | None:
        """Why it cannot serve, as last seen; None if it can."""
        if not self.scheduler.is_alive(self.options.heartbeat_timeout_s):
            return f"no heart-beat for {self.options.heartbeat_timeout_s:g} s"
        return self.canary.fault

    def start(self) -> None:
        """Start the workers and the first translation of the canary."""
        self.scheduler.start()
        self.canary.check()

    def close(self) -> None:
        """Stop the workers; unfinished jobs end with an error."""
        self.references.close()
        self.scheduler.close()


def load(
    sessions: Sessions, options: RegistryOptions, metrics: Metrics, clock: Clock = time.monotonic
) -> LoadedModel:
    """Create a model, ready to start.

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


def warm_up(models: Sequence[LoadedModel], *, is_alone: bool) -> None:
    """Start models side by side and translate the canary of each once.

    Args:
        models: Loaded ones.
        is_alone: Whether one model is served: it then has all engines, and otherwise one.
    """
    for model in models:
        model.scheduler.create_engines(None if is_alone else 1)
    for model in models:
        model.start()
    for model in models:
        model.canary.wait(_CANARY_START_S)


def start_checked(model: LoadedModel, *, is_alone: bool) -> None:
    """Start a model, whose canary has to come out as expected.

    Raises:
        StartupError: It cannot serve.
    """
    warm_up([model], is_alone=is_alone)
    if fault := model.fault:
        raise StartupError(f"{model.bundle.path}: {fault}")


def report_loaded(model: LoadedModel, metrics: Metrics) -> None:
    """Log that a model is served, and add it to the metrics."""
    metrics.models_loaded.inc()
    _report(model.bundle, metrics, "model loaded")


def report_found(bundle: Bundle, metrics: Metrics) -> None:
    """Log that a bundle is served, loaded at its first use, and add it to the metrics."""
    _report(bundle, metrics, "model found")


def report_replaced(bundle: Bundle, metrics: Metrics) -> None:
    """Log that a bundle is no longer served, and remove it from the metrics."""
    metrics.model_info.remove(*_labels(bundle).values())
    _log.info("model replaced", extra={"model": bundle.manifest.name, "folder": str(bundle.path)})


def _report(bundle: Bundle, metrics: Metrics, event: str) -> None:
    metrics.model_info.labels(**_labels(bundle)).set(1)
    _log.info(event, extra={"model": bundle.manifest.name, "folder": str(bundle.path)})


def _labels(bundle: Bundle) -> dict[str, str]:
    """In the order in which the metric has them."""
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "pairs": ",".join(str(pair) for pair in manifest.pairs),
        "precision": manifest.precision,
        "sha256": bundle.sha256,
    }
