"""Reload: reads the bundle folders again while the service runs, and replaces changed bundles.

A new bundle is verified, loaded and warmed up beside the served ones, and then replaces them at
once. A replaced bundle runs until its last request is finished.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from service.errors import ReloadRefusedError, ShuttingDownError, StartupError
from service.models.discovery import describe_bundles, open_bundles, read_bundles
from service.models.loaded_model import (
    LoadedModel,
    RegistryOptions,
    load,
    report_found,
    report_loaded,
    report_replaced,
    warm_up,
)
from service.models.registry import Registry
from service.models.served_bundle import ServedBundle
from service.observability.clock import Clock
from service.observability.metrics import Metrics

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """The result of a reload."""

    added: tuple[LoadedModel | ServedBundle, ...]
    kept: tuple[LoadedModel | ServedBundle, ...]
    """Models with an unchanged bundle."""
    removed: tuple[LoadedModel | ServedBundle, ...]
    """Models that new requests no longer get."""

    @property
    def outcome(self) -> str:
        """Label of the metric."""
        return "swapped" if self.added or self.removed else "unchanged"


class Reloader:
    """Runs one reload at a time, in its own thread; safe between threads."""

    def __init__(
        self,
        registry: Registry,
        paths: Sequence[Path],
        options: RegistryOptions,
        metrics: Metrics,
        clock: Clock = time.monotonic,
        *,
        refusal: str | None = None,
    ) -> None:
        """Create the thread.

        Args:
            registry: A started registry.
            paths: Bundle folders, or folders of bundle folders.
            options: Options of new bundles.
            metrics: Metrics of the service.
            clock: The clock of the registry.
            refusal: Why every request is refused; None: none is.
        """
        self._refusal = refusal
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
        """Request a reload; requests made before it starts share it.

        It starts once the models replaced by the previous reload are closed, so that memory holds
        at most two generations. The future ends with `ReloadRefusedError` where a bundle has a
        fault; the served models then stay.

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
        """Accept no more requests; a running reload ends once the registry is closed."""
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
            self._waiting = None  # later requests may refer to newer files
        if not answer.set_running_or_notify_cancel():
            return
        removed: Sequence[LoadedModel | ServedBundle] = ()
        try:
            result = self._reload()
            removed = result.removed
        except Exception as error:  # noqa: BLE001 - the request must be answered whatever the error
            self._report_refusal(error)
            answer.set_exception(error)
        else:
            self._report(result)
            answer.set_result(result)
        for model in removed:
            if isinstance(model, LoadedModel):
                self._registry.retire(model)
                _log.info("model closed", extra={"model": model.name})

    def _reload(self) -> Reload:
        if self._refusal is not None:
            raise ReloadRefusedError(self._refusal)
        if self._options.residency is not None:
            return self._reload_described()
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

    def _reload_described(self) -> Reload:
        """Serve what is there now, verified; it is loaded when it is needed."""
        before = self._registry.served
        try:
            described = describe_bundles(self._paths)
            known = {served.bundle.sha256 for served in before}
            new = [bundle.path for bundle in described if bundle.sha256 not in known]
            read_bundles(new, self._options.verified)
        except StartupError as error:
            raise ReloadRefusedError(f"everything goes on as it was: {error}") from error
        removed = self._registry.replace_described(described)
        served = self._registry.served
        return Reload(
            added=tuple(each for each in served if each not in before),
            kept=tuple(each for each in served if each in before),
            removed=tuple(removed),
        )

    def _prepare(
        self, served: dict[str, LoadedModel], added: list[LoadedModel]
    ) -> list[LoadedModel]:
        """The models to serve; starts new ones, and appends them to `added`."""
        opened = open_bundles(
            self._paths,
            num_threads=self._options.threads_per_worker,
            opens_graphs=self._options.scheduler.decodes_here,
            opened={sha256: model.sessions for sha256, model in served.items()},
            verified=self._options.verified,
        )
        models = []
        for sessions in opened:
            model = served.get(sessions.bundle.sha256)
            if model is None:
                model = load(sessions, self._options, self._metrics, self._clock)
                added.append(model)
            models.append(model)
        warm_up(added, is_alone=len(models) == 1)
        faults = [f"{model.bundle.path}: {model.fault}" for model in added if model.fault]
        if faults:
            raise StartupError("; ".join(faults))
        return models

    def _report(self, result: Reload) -> None:
        for model in result.added:
            if isinstance(model, LoadedModel):
                report_loaded(model, self._metrics)
            else:
                report_found(model.bundle, self._metrics)
        for model in result.removed:
            if isinstance(model, LoadedModel):
                self._metrics.models_loaded.dec()
            report_replaced(model.bundle, self._metrics)
        self._metrics.reloads.labels(outcome=result.outcome).inc()
        counts = {name: len(getattr(result, name)) for name in ("added", "kept", "removed")}
        _log.info("reloaded", extra={"outcome": result.outcome, **counts})

    def _report_refusal(self, error: Exception) -> None:
        is_refusal = isinstance(error, ReloadRefusedError | ShuttingDownError)
        outcome = "refused" if is_refusal else "failed"
        self._metrics.reloads.labels(outcome=outcome).inc()
        reason = str(error) if is_refusal else f"{type(error).__name__}: {error}"
        _log.error("reload refused", extra={"outcome": outcome, "reason": reason})
