"""A bundle with everything that runs it, from its start to its end."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bundle.reader import Bundle
from service.engine.graphs.sessions import Sessions
from service.errors import StartupError
from service.models.canary import Canary
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.scheduler import Scheduler, SchedulerOptions


class Leases:
    """Counts users until the last has gone; safe between threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._num_users = 0
        self._is_ending = False
        self._is_closed = False

    def take(self) -> bool:
        """Begin to use it; False: it is no longer given out, and must not be used."""
        with self._changed:
            if self._is_ending:
                return False
            self._num_users += 1
            return True

    def give_back(self) -> None:
        """End what `take` began."""
        with self._changed:
            self._num_users -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Give out no more, and wait until the last user has gone or `close` was called."""
        with self._changed:
            self._is_ending = True
            self._changed.wait_for(lambda: self._is_closed or self._num_users == 0)

    def close(self) -> None:
        """Let `end` wait for nobody any longer."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


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
    heartbeat_timeout_s: float = 10.0
    """A worker that has not come round for this long is taken for dead."""
    pivots: bool = True
    """Whether two of them may translate together what none translates by itself."""


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
        if not self.scheduler.is_alive(self.options.heartbeat_timeout_s):
            return f"no heart-beat for {self.options.heartbeat_timeout_s:g} s"
        return self.canary.fault

    def start(self) -> None:
        """Start the workers and begin to translate the canary."""
        self.scheduler.start()
        self.canary.check()

    def close(self) -> None:
        """Stop the workers; whatever is left ends with an error."""
        self.leases.close()
        self.scheduler.close()


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
