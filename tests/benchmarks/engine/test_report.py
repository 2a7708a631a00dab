from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.contestants.interface import Contestant, EngineName, Order, Request, Threads
from benchmarks.engine.reference_model import ReferenceModel
from benchmarks.engine.report import rows_of
from benchmarks.engine.rounds import Effort, Entry, Setting
from benchmarks.engine.scaling import exponent
from tests.export.networks import random_transformer
from tests.service.tiny_models import tiny_bundle

SETTING = Setting(mode="batch", batch=2, beam=1)


class Silent:
    """Translates nothing: what it would have said is given."""

    def translate(
        self, requests: Sequence[Request], *, batch: int, beam: int
    ) -> list[tuple[int, ...]]:
        return [() for _ in requests]

    def close(self) -> None:
        pass


def entry(
    engine: EngineName,
    precision: str,
    *,
    seconds: list[float],
    targets: list[tuple[int, ...]],
    order: Order = "sorted",
) -> Entry:
    return Entry(
        contestant=Contestant(
            engine=engine, precision=precision, folder=Path("x"), mode="batch", order=order
        ),
        setting=SETTING,
        threads=Threads(intra=2),
        engine=Silent(),
        requests=[Request(source_ids=(5, 3), max_target_tokens=4)] * 2,
        targets=targets,
        seconds=seconds,
    )


def reference_model(*, has_references: bool) -> ReferenceModel:
    return ReferenceModel(
        name="default" if has_references else "base",
        network=random_transformer(),
        weights="random",
        bundles=(tiny_bundle(),),
        requests=(),
        references=("a", "b") if has_references else None,
    )


ENTRIES = [
    entry("ctranslate2", "float32", seconds=[2.0], targets=[(7, 8), (9, 6, 5, 4)]),
    entry("ctranslate2", "int8", seconds=[1.0, 1.0], targets=[(7, 8), (9, 6, 5, 4)]),
    entry("pellucid", "int8", seconds=[0.5, 0.25, 1.0], targets=[(7, 8), (9, 6)]),
]


def test_speed_is_the_median_and_counts_end_tokens_that_were_decoded() -> None:
    exact, peer, ours = rows_of(reference_model(has_references=True), ENTRIES)
    assert exact.tokens_per_s == 7 / 2
    assert (peer.tokens_per_s, peer.ratio_to_ct2_int8) == (7.0, 1.0)
    assert ours.tokens_per_s == 6 / 0.5
    assert ours.ratio_to_ct2_int8 == pytest.approx(12 / 7, abs=1e-3)
    assert ours.spread == (24 - 6) / 12
    assert ours.threads == "1x2"


def test_translations_are_compared_with_float32() -> None:
    rows = rows_of(reference_model(has_references=True), ENTRIES)
    assert [row.identical for row in rows] == [1.0, 1.0, 0.5]
    assert all(row.bleu is not None for row in rows)


def test_random_weights_are_compared_as_far_as_both_went() -> None:
    rows = rows_of(reference_model(has_references=False), ENTRIES)
    assert [row.identical for row in rows] == [1.0, 1.0, 1.0]
    assert all(row.bleu is None for row in rows)


def test_slow_engines_do_less() -> None:
    effort = Effort(rounds=5, sentences=300, slow_rounds=2, slow_sentences=64)
    slow, fast = entry("optimum", "float32", seconds=[], targets=[]), ENTRIES[2]
    assert (effort.rounds_of(slow.contestant), effort.sentences_of(slow.contestant)) == (2, 64)
    assert (effort.rounds_of(fast.contestant), effort.sentences_of(fast.contestant)) == (5, 300)


def test_a_power_is_found_again() -> None:
    sizes = [1.0, 2.0, 4.0, 8.0]
    assert exponent(sizes, [3 * n**1.5 for n in sizes]) == pytest.approx(1.5)
