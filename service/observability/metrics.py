"""All Prometheus metrics of the service, on a registry of their own.

No text, key or client address may ever become a label.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from service.observability.engine_memory import EngineMemory

TIME_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
RELOAD_OUTCOMES = ("swapped", "unchanged", "refused", "failed")
LOAD_OUTCOMES = ("loaded", "failed")
UNLOAD_REASONS = ("idle", "memory", "replaced")
STAGES = ("tokenize", "queue", "encode", "decode", "detokenize")
FINISH_REASONS = ("stop", "length", "repetition", "deadline")
REJECTION_REASONS = (
    "queue_full",
    "client_queue_full",
    "too_many_requests",
    "shutting_down",
    "bodies_full",
    "too_many_connections",
    "slow_header",
    "slow_body",
    "slow_reader",
    "malformed",
    "key_required",
    "invalid_key",
    "wrong_keys",
    "rate_limited",
    "quota_exceeded",
    "request_in_progress",
    "idempotency_key_reused",
    "key_store_failed",
)
MEMORY_HITS = ("exact", "fuzzy")
CANCELLATION_REASONS = ("client", "deadline")
ROW_BUCKETS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)
RATIO_BUCKETS = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
UNKNOWN_ROUTE = "unknown"
"""Label of all unknown paths, so that a scan cannot fill the memory."""


class Metrics:
    """One attribute per metric; each instance has a registry of its own."""

    def __init__(self) -> None:
        # Without the creation time of every counter, which would double the page.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._add_request_metrics()
        self._add_model_metrics()
        self._add_outcome_metrics()
        self.registry.register(EngineMemory())
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pellucid-metrics")

    async def page(self) -> bytes:
        """`exposition`, in a thread that nothing else keeps: the collectors read /proc."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.exposition)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _add_request_metrics(self) -> None:
        self.requests = self._counter(
            "requests", "Requests answered.", "route", "dialect", "status"
        )
        self.request_seconds = self._histogram(
            "request_seconds", "From the request's first byte to the reply's last.", "route"
        )
        self.stage_seconds = self._histogram(
            "stage_seconds",
            "Stages of a translation, the longest of its sentences.",
            "stage",
        )
        for stage in STAGES:  # a series at 0 can be watched before its first event
            self.stage_seconds.labels(stage=stage)
        self.ready = self._gauge("ready", "1 while the readiness probe says yes.")
        self.loop_lag_seconds = self._histogram(
            "loop_lag_seconds", "By how much timers of the event loop are late."
        )
        self.in_flight = self._gauge("in_flight", "Translations and inspections being worked on.")
        self.connections = self._gauge("connections", "Connections of clients that are open.")
        self.rejected = self._counter("rejected", "Requests turned away.", "reason")
        for reason in REJECTION_REASONS:
            self.rejected.labels(reason=reason)
        self.lost_calls = self._counter(
            "lost_calls", "Sentences that were lost with an engine and tried again."
        )
        self.cancelled = self._counter("cancelled", "Sentences given up unfinished.", "reason")
        for reason in CANCELLATION_REASONS:
            self.cancelled.labels(reason=reason)

    def _add_model_metrics(self) -> None:
        self.source_tokens = self._counter("source_tokens", "Source tokens encoded.")
        self.target_tokens = self._counter("target_tokens", "Target tokens generated.")
        self.decode_steps = self._counter("decode_steps", "Calls of a decoder graph.")
        self.batch_rows = self._histogram(
            "batch_rows", "Live rows per decoder step.", buckets=ROW_BUCKETS
        )
        self.padding_ratio = self._histogram(
            "padding_ratio", "Share of padding in an encoder batch.", buckets=RATIO_BUCKETS
        )
        self.queue_depth = self._gauge("queue_depth", "Sentences waiting to be decoded.")
        self.slots_in_use = self._gauge(
            "slots_in_use", "Cache slots of the sentences that engines have."
        )
        self.engine_restarts = self._counter("engine_restarts", "Engines that died or hung.")
        self.model_info = self._gauge(
            "model_info", "1 for each model served.", "name", "pairs", "precision", "sha256"
        )
        self.models_loaded = self._gauge("models_loaded", "Models that are in memory.")
        self.model_loads = self._counter(
            "model_loads", "Models loaded because a request needed them.", "outcome"
        )
        for outcome in LOAD_OUTCOMES:
            self.model_loads.labels(outcome=outcome)
        self.model_unloads = self._counter(
            "model_unloads", "Models unloaded while they were not in use.", "reason"
        )
        for reason in UNLOAD_REASONS:
            self.model_unloads.labels(reason=reason)
        self.reloads = self._counter("reloads", "Readings of the bundles while serving.", "outcome")
        for outcome in RELOAD_OUTCOMES:
            self.reloads.labels(outcome=outcome)

    def _add_outcome_metrics(self) -> None:
        self.finish = self._counter("finish", "Sentences by how they ended.", "reason")
        for reason in FINISH_REASONS:
            self.finish.labels(reason=reason)
        self.truncated = self._counter("truncated", "Sentences not translated to their end.")
        self.low_confidence = self._counter(
            "low_confidence", "Sentences below the model's limit of confidence.", "pair"
        )
        self.pivoted = self._counter("pivoted", "Sentences translated by way of a third language.")
        self.repetition_guard = self._counter(
            "repetition_guard", "Sentences stopped because they repeated themselves."
        )
        self.cache_hits = self._counter("cache_hits", "Sentences answered without a model run.")
        self.cache_misses = self._counter("cache_misses", "Sentences that needed a model run.")
        self.memory_hits = self._counter(
            "memory_hits", "Sentences that the translation memory knows.", "kind"
        )
        for kind in MEMORY_HITS:
            self.memory_hits.labels(kind=kind)
        self.shared_runs = self._counter(
            "shared_runs", "Sentences answered by the run of an equal one."
        )
        self.canary_failures = self._counter(
            "canary_failures", "Canary translations that failed or differed."
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        counter = Counter(f"pellucid_{name}", text, labels, registry=self.registry)
        # Found by a look-up from then on: the library sorts, converts and locks each time. Not
        # for gauges, whose series may be removed.
        counter.labels = cache(counter.labels)  # type: ignore[method-assign]
        return counter

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"pellucid_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = TIME_BUCKETS
    ) -> Histogram:
        histogram = Histogram(
            f"pellucid_{name}", text, labels, buckets=buckets, registry=self.registry
        )
        histogram.labels = cache(histogram.labels)  # type: ignore[method-assign]
        return histogram
