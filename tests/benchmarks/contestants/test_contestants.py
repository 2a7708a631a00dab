from pathlib import Path

import pytest

from benchmarks.contestants.interface import (
    Contestant,
    EngineName,
    Mode,
    Order,
    Request,
    Threads,
    as_json,
    from_json,
    groups_of,
    limit_of,
    open_engine,
)
from benchmarks.engine.contestants import prepare_contestants
from benchmarks.engine.random_model import random_model
from benchmarks.engine.reference_model import ReferenceModel
from benchmarks.engine.rounds import thread_choices
from model.architecture import Architecture

LENGTHS = [5, 9, 2, 9, 12, 7]
SMALL = Architecture(
    vocab_size=60, d_model=32, d_ff=48, num_heads=2, num_encoder_layers=2, num_decoder_layers=2,
    max_positions=16,
)  # fmt: skip


def requests(*lengths: int) -> list[Request]:
    return [Request(source_ids=(7,) * n, max_target_tokens=n) for n in lengths]


def contestant(mode: Mode, engine: EngineName = "pellucid") -> Contestant:
    return Contestant(
        engine=engine, precision="int8", folder=Path("x"), mode=mode, order="continuous"
    )


@pytest.fixture(scope="module")
def reference_model(tmp_path_factory: pytest.TempPathFactory) -> ReferenceModel:
    return random_model(LENGTHS, tmp_path_factory.mktemp("random"), shape=SMALL)


def test_batches_are_of_like_length_or_as_they_come() -> None:
    given = requests(3, 9, 1, 5, 7)
    assert groups_of(given, 2, "sorted") == [[1, 4], [3, 0], [2]]
    assert groups_of(given, 2, "arrival") == [[0, 1], [2, 3], [4]]


def test_a_batch_has_as_many_tokens_as_its_sentences() -> None:
    assert limit_of(requests(4, 6, 5)) == 5


def test_a_contestant_survives_the_way_to_another_process() -> None:
    given = contestant("serving")
    assert from_json(as_json(given)) == given


def test_one_core_has_one_choice_of_threads() -> None:
    for mode in ("batch", "serving"):
        assert list(thread_choices(contestant(mode), 1)) == [Threads(intra=1)]


def test_the_service_has_a_worker_for_every_core() -> None:
    assert list(thread_choices(contestant("serving"), 4)) == [Threads(intra=1, inter=4)]
    others = list(thread_choices(contestant("serving", "ctranslate2"), 4))
    assert others == [Threads(intra=1), Threads(intra=4), Threads(intra=1, inter=4)]


@pytest.mark.parametrize(("mode", "order"), [("batch", "continuous"), ("serving", "continuous")])
@pytest.mark.parametrize("beam", [1, 4])
def test_random_weights_end_where_they_are_told(
    reference_model: ReferenceModel, mode: Mode, order: Order, beam: int
) -> None:
    for bundle in reference_model.bundles:
        ours = Contestant(
            engine="pellucid",
            precision=bundle.manifest.precision,
            folder=bundle.path,
            mode=mode,
            order=order,
        )
        engine = open_engine(ours, Threads(intra=1, inter=2))
        targets = engine.translate(reference_model.requests, batch=4, beam=beam)
        engine.close()
        assert [len(ids) for ids in targets] == LENGTHS


def test_all_engines_translate_alike(reference_model: ReferenceModel, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="CTranslate2 comes with the extra `benchmarks`")
    outputs = {}
    for each in prepare_contestants(reference_model, ["pellucid"], tmp_path):
        engine = open_engine(each, Threads(intra=1))
        targets = engine.translate(reference_model.requests, batch=1, beam=1)
        engine.close()
        outputs[each.engine, each.precision, each.mode, each.order] = targets
        assert [len(ids) for ids in targets] == LENGTHS
    exact = outputs["ctranslate2", "float32", "batch", "sorted"]
    assert outputs["pellucid", "fp32", "batch", "continuous"] == exact
    assert outputs["pellucid", "fp32", "serving", "continuous"] == exact
