"""The graph of beams gives what decoder and candidates give, bit for bit, in every batch."""

import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from bundle.errors import InvalidBundleError
from bundle.reader import read_bundle
from bundle.tensors import BEAMS_NAME, CANDIDATES_NAME, DECODER_NAME, NUM_PLACES
from export.calibration.activations import calibrate
from export.renewal import renew
from export.verification.invariance import check_invariance
from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.export.networks import (
    KINDS,
    MAX_TOKENS,
    PLAIN_KINDS,
    network,
    open_graphs,
    random_ids,
    random_transformer,
)
from tests.service.engine.spy import DecoderSpy, spied
from tests.service.engine.test_batch_decoder import (
    BatchDecoderMachine,
    expected,
    mixed_requests,
    request,
    run_all,
)
from tests.service.engine.tiny import BEAM, EVERY_KIND, alone, tiny, tiny_sources
from tests.service.tiny_models import TINY_BUNDLE

SOURCES = random_ids(20, seed=1)


@cache
def renewed() -> Sessions:
    """The tiny bundle with a graph of beams."""
    folder = Path(mkdtemp()) / "tiny"
    shutil.copytree(TINY_BUNDLE, folder)
    renew(folder)
    return open_sessions(read_bundle(folder))


@pytest.fixture(scope="module", params=["fp32", "int8"])
def precision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=KINDS.values(), ids=list(KINDS))
def sessions(
    request: pytest.FixtureRequest, precision: str, tmp_path_factory: pytest.TempPathFactory
) -> Sessions:
    model = network(random_transformer(**request.param))
    pairs = list(zip(random_ids(20, seed=3), random_ids(20, seed=4), strict=True))
    plan = calibrate(model, pairs) if precision == "int8" else None
    return open_graphs(model, plan, tmp_path_factory.mktemp("beams") / "graphs")


@pytest.mark.parametrize("beam_size", range(2, NUM_PLACES + 1))
def test_every_hypothesis_is_that_of_the_decoder(sessions: Sessions, beam_size: int) -> None:
    options = DecodeOptions(
        beam_size=beam_size, num_hypotheses=beam_size, max_target_tokens=MAX_TOKENS
    )
    assert sessions.has_beams
    without = replace(sessions, uses_beams=False)
    found, wanted = (decode_batch(s, SOURCES, options) for s in (sessions, without))
    assert found == wanted
    assert len({best.score for best, *_ in found}) > len(SOURCES) // 2


def test_no_sentence_depends_on_its_batch(sessions: Sessions) -> None:
    check_invariance(sessions, SOURCES)


@pytest.mark.parametrize("kind", PLAIN_KINDS.values(), ids=list(PLAIN_KINDS))
def test_plain_attention_has_no_graph_of_beams(kind: dict[str, Any], tmp_path: Path) -> None:
    sessions = open_graphs(network(random_transformer(**kind)), None, tmp_path / "graphs")
    assert not sessions.has_beams and not (tmp_path / "graphs" / BEAMS_NAME).exists()


@pytest.mark.parametrize("num_slots", [8, 13, 32])
@pytest.mark.parametrize("burst", [1, 32])
def test_greedy_and_beams_of_all_sizes_share_the_slots(num_slots: int, burst: int) -> None:
    requests = mixed_requests()
    random.Random(num_slots).shuffle(requests)
    decoder: BatchDecoder[int] = BatchDecoder(renewed(), num_slots=num_slots)
    assert not tiny().has_file(BEAMS_NAME)  # so what is expected comes from the decoder
    assert run_all(decoder, requests, burst=burst) == {r.handle: expected(r) for r in requests}
    assert (decoder.free_slots, decoder.num_rows, decoder.handles) == (num_slots, 0, [])


class BeamsMachine(BatchDecoderMachine):
    """The same walk, with beams in a graph of their own."""

    def opened(self) -> tuple[Sessions, list[DecoderSpy]]:
        sessions, decoder = spied(renewed())
        sessions, beams = spied(sessions, BEAMS_NAME)
        return sessions, [decoder, beams]


TestBeams = BeamsMachine.TestCase
TestBeams.settings = settings(max_examples=40, stateful_step_count=25)


def test_the_source_of_a_sentence_is_held_once() -> None:
    sessions, spy = spied(renewed(), BEAMS_NAME)
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=16)
    decoder.join(decoder.prefill([request(0, BEAM), request(1, BEAM)]).sentences)
    while decoder.num_rows:
        decoder.step()
    rows = [shapes["input_ids"][0] for shapes in spy.fed]
    sources = [shapes["cross_key.0"][0] for shapes in spy.fed]
    assert rows[:2] == [2, 8]
    assert sources[:2] == [2, 2] and set(sources) <= {1, 2}


def test_wide_beams_and_greedy_sentences_stay_with_the_decoder() -> None:
    sessions, spy = spied(renewed(), BEAMS_NAME)
    wide = [o for o in EVERY_KIND if o.beam_size in (1, 8)]
    for options in wide:
        source = tiny_sources()[0]
        (found,) = decode_batch(sessions, [source], options)
        assert found == alone(source, options)
    assert len(wide) > 3 and not spy.fed


def test_faults_of_the_graph_are_named(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(renewed().bundle.path, tmp_path / "spoilt"))
    shutil.copy(folder / DECODER_NAME, folder / BEAMS_NAME)
    with pytest.raises(InvalidBundleError) as caught:
        open_sessions(replace(renewed().bundle, path=folder))
    faults = caught.value.faults
    assert f"{BEAMS_NAME}: input place_heads: missing" in faults
    assert f"{BEAMS_NAME}: output logits: unknown" in faults
    assert all(fault.startswith(BEAMS_NAME) for fault in faults)


def test_the_graph_needs_no_candidates_run() -> None:
    class Refusing:
        def io_binding(self) -> object:
            raise AssertionError("beams have been ranked already")

    sessions = renewed().with_session(CANDIDATES_NAME, Refusing())
    assert decode_batch(sessions, tiny_sources(3), BEAM) == _alone(tiny_sources(3))


def _alone(sources: Sequence[tuple[int, ...]]) -> list[object]:
    return [alone(source, BEAM) for source in sources]


def test_log_probabilities_are_those_of_the_candidates_graph() -> None:
    """Of whole rows too, which rules read."""
    options = replace(BEAM, prefix_ids=tuple(np.arange(300, 304).tolist()))
    for source in tiny_sources(3):
        (found,) = decode_batch(renewed(), [source], options)
        assert found == alone(source, options)
