from benchmarks.engine.step_time import measure_steps
from tests.service.tiny_models import tiny_bundle


def test_steps_are_measured_up_to_the_end_of_the_cache() -> None:
    bundle = tiny_bundle()
    text = bundle.manifest.canary.source_text
    source_ids = bundle.tokenizer.encode_source(text, bundle.manifest.pairs[0])
    steps = measure_steps(bundle, source_ids, rows=2, rounds=1, buckets=4)
    assert len(steps) == 4
    assert steps[-1].past > bundle.manifest.max_target_tokens * 3 // 4
    assert all(step.median_ms > 0 for step in steps)
    work = [step.multiplications_against_first for step in steps]
    assert work == sorted(work)
    assert work[0] == 1
