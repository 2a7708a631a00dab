"""The metrics are the contract of API.md section 4."""

from typing import get_args

from service.engine.search.options import FinishReason
from service.observability.metrics import FINISH_REASONS, STAGES, Metrics

COUNTERS = (
    "requests_total",
    "source_tokens_total",
    "target_tokens_total",
    "decode_steps_total",
    "rejected_total",
    "cancelled_total",
    "finish_total",
    "truncated_total",
    "pivoted_total",
    "low_confidence_total",
    "repetition_guard_total",
    "cache_hits_total",
    "cache_misses_total",
    "shared_runs_total",
    "memory_hits_total",
    "canary_failures_total",
    "reloads_total",
    "lost_calls_total",
    "engine_restarts_total",
    "model_loads_total",
    "model_unloads_total",
)
GAUGES = (
    "connections",
    "ready",
    "queue_depth",
    "in_flight",
    "slots_in_use",
    "engine_memory_bytes",
    "model_info",
    "models_loaded",
)
HISTOGRAMS = (
    "request_seconds",
    "stage_seconds",
    "loop_lag_seconds",
    "batch_rows",
    "padding_ratio",
)


def test_every_metric_of_the_contract_is_exposed() -> None:
    page = Metrics().exposition().decode()
    types = {f"# TYPE pellucid_{name} counter" for name in COUNTERS}
    types |= {f"# TYPE pellucid_{name} gauge" for name in GAUGES}
    types |= {f"# TYPE pellucid_{name} histogram" for name in HISTOGRAMS}
    assert types <= set(page.splitlines())


def test_nothing_else_of_ours_is_exposed() -> None:
    types = [line for line in Metrics().exposition().decode().splitlines() if "TYPE" in line]
    ours = [line for line in types if " pellucid_" in line]
    assert len(ours) == len(COUNTERS) + len(GAUGES) + len(HISTOGRAMS)


def test_process_and_garbage_collector_are_measured_too() -> None:
    page = Metrics().exposition().decode()
    assert "process_resident_memory_bytes " in page
    assert "python_gc_collections_total{" in page


def test_instances_do_not_share_their_counts() -> None:
    first, second = Metrics(), Metrics()
    first.decode_steps.inc(3)
    assert "pellucid_decode_steps_total 3.0" in first.exposition().decode()
    assert "pellucid_decode_steps_total 0.0" in second.exposition().decode()


def test_stages_have_the_buckets_of_the_contract() -> None:
    page = Metrics().exposition().decode()
    wanted = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
    for stage in STAGES:
        for bucket in (*map(float, wanted), "+Inf"):
            assert f'stage_seconds_bucket{{le="{bucket}",stage="{stage}"}} 0.0' in page


def test_every_way_to_finish_starts_at_zero() -> None:
    assert get_args(FinishReason) == FINISH_REASONS
    page = Metrics().exposition().decode()
    for reason in FINISH_REASONS:
        assert f'pellucid_finish_total{{reason="{reason}"}} 0.0' in page
