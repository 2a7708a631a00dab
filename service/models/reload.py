"""Reads the bundle folders again while the service runs, and replaces what has changed.

A new bundle is verified, loaded and warmed beside those that are served; only then does it take
their place, at once. What was replaced runs until its last request has ended.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from service.errors import ReloadRefusedError, ShuttingDownError, StartupError
from service.models.discovery import open_bundles
from service.models.loaded_model import (
    LoadedModel,
    RegistryOptions,
    announce,
    load,
    warm_up,
    withdraw,
)
from service.models.registry import Registry
from service.observability.clock import Clock
from service.observability.metrics import Metrics

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What a reload did."""

    added: tuple[LoadedModel, ...]
    kept: tuple[LoadedModel, ...]
    """Their bundles have not changed."""
    removed: tuple[LoadedModel, ...]
    """No longer given to new requests."""

    @property
    def outcome(self) -> str:
        """As it is counted."""
        return "swapped" if self.added or self.removed else "unchanged"


class Reloader:
    """Does one reload at a time, in a thread of its own; safe between threads."""

    def __init__(
        self,
        registry: Registry,
        paths: Sequence[Path],
        options: RegistryOptions,
        metrics: Metrics,
        clock: Clock = time.monotonic,
    ) -> None:
        """Wire it.

        Args:
            registry: Started.
            paths: Bundle folders, or folders of bundle folders.
            options: How to run new bundles.
            metrics: Receives what is measured.
            clock: The clock of the registry.
        """
        self._registry = registry
        self._paths = tuple(paths)
        self._options = options
        self._metrics = metrics
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pellucid-reload")
        self._lock = threading.Lock()
        self._waiting: Future[Reload] | None = None
        self._is_closed = False

    def request(self) -> "Future[Reload]":
        """Ask for a reload; whoever asks before it has begun shares it.

        It begins once the models that the one before replaced have been closed, so that memory
        holds two generations at most. The future ends with `ReloadRefusedError` where something
        is wrong with a bundle: all goes on as it was.

        Raises:
            ShuttingDownError: The service is stopping.
        """
        with self._lock:
            if self._is_closed:
                raise ShuttingDownError("the service is shutting down")
            if self._waiting is None:
                self._waiting = Future()
                self._thread.submit(self._run, self._waiting)
            return self._waiting

    def close(self) -> None:
        """Begin no other; one that has begun ends by itself once the registry is closed."""
        with self._lock:
            self._is_closed = True
            waiting, self._waiting = self._waiting, None
        self._thread.shutdown(wait=False, cancel_futures=True)
        if waiting is not None and waiting.set_running_or_notify_cancel():
            waiting.set_exception(ShuttingDownError("the service is shutting down"))

    def _run(self, answer: "Future[Reload]") -> None:
        with self._lock:
            if self._waiting is not answer:
                return
            self._waiting = None  # whoever asks from now on may know of something newer
        if not answer.set_running_or_notify_cancel():
            return
        removed: Sequence[LoadedModel] = ()
        try:
            result = self._reload()
            removed = result.removed
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            self._report_refusal(error)
            answer.set_exception(error)
        else:
            self._report(result)
            answer.set_result(result)
        for model in removed:
            self._registry.retire(model)
            _log.info("model closed", extra={"model": model.name})

    def _reload(self) -> Reload:
        served = {model.bundle.sha256: model for model in self._registry.models}
        added: list[LoadedModel] = []
        try:
            models = self._prepare(served, added)
            removed = self._registry.replace(models)
        except BaseException as error:
            for model in added:
                model.close()
            if isinstance(error, StartupError):
                raise ReloadRefusedError(f"everything goes on as it was: {error}") from error
            raise
        kept = tuple(model for model in models if model not in added)
        return Reload(added=tuple(added), kept=kept, removed=tuple(removed))

    def _prepare(
        self, served: dict[str, LoadedModel], added: list[LoadedModel]
    ) -> list[LoadedModel]:
        """What is to be served; models that are not served yet are started, and also in `added`."""
        opened = open_bundles(
            self._paths,
            num_threads=self._options.threads_per_worker,
            opened={sha256: model.sessions for sha256, model in served.items()},
        )
        models = []
        for sessions in opened:
            model = served.get(sessions.bundle.sha256)
            if model is None:
                model = load(sessions, self._options, self._metrics, self._clock)
                added.append(model)
            models.append(model)
        warm_up(added)
        faults = [f"{model.bundle.path}: {model.fault}" for model in added if model.fault]
        if faults:
            raise StartupError("; ".join(faults))
        return models

    def _report(self, result: Reload) -> None:
        for model in result.added:
            announce(model, self._metrics)
        for model in result.removed:
            withdraw(model, self._metrics)
        self._metrics.reloads.labels(outcome=result.outcome).inc()
        counts = {name: len(getattr(result, name)) for name in ("added", "kept", "removed")}
        _log.info("reloaded", extra={"outcome": result.outcome, **counts})

    def _report_refusal(self, error: Exception) -> None:
        is_refusal = isinstance(error, ReloadRefusedError | ShuttingDownError)
        outcome = "refused" if is_refusal else "failed"
        self._metrics.reloads.labels(outcome=outcome).inc()
        reason = str(error) if is_refusal else f"{type(error).__name__}: {error}"
        _log.error("reload refused", extra={"outcome": outcome, "reason": reason})
