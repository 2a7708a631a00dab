"""The translation by a shortlist does not depend on the batch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bundle import manifest
from bundle.shortlist import ShortlistTable
from export.calibration.activations import calibrate
from export.graphs.writer import write_graphs
from export.lexicon.shortlist import ShortlistPlan
from export.verification.invariance import check_invariance
from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions, Hypothesis
from tests.export.networks import (
    KINDS,
    MAX_TOKENS,
    as_bundle,
    network,
    random_ids,
    random_transformer,
)

VOCAB_SIZE = 90
SOURCES = random_ids(30, seed=1)
LONGEST = 18
GREEDY = DecodeOptions(max_target_tokens=MAX_TOKENS, with_scores=False)
SCORED = replace(GREEDY, with_scores=True)
BEAM = replace(GREEDY, beam_size=3)


def _plan() -> ShortlistPlan:
    """Every source piece has four random target pieces."""
    common = np.array([3, *range(10, 30)], np.int32)
    rare = np.setdiff1d(np.arange(4, VOCAB_SIZE), common)
    values = np.random.default_rng(0)
    rows = [values.choice(rare, 4, replace=False) for _ in range(560)]
    return ShortlistPlan(
        table=ShortlistTable(
            common=common,
            offsets=np.arange(0, 4 * 560 + 1, 4, dtype=np.int32),
            targets=np.concatenate(rows).astype(np.int32),
        ),
        report=manifest.Shortlist(
            num_common=len(common), num_own=12, max_source_tokens=LONGEST, num_pairs=1
        ),
    )


@pytest.fixture(scope="module", params=KINDS.values(), ids=list(KINDS))
def sessions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    model = network(random_transformer(**request.param))
    pairs = list(zip(random_ids(20, seed=3), random_ids(20, seed=4), strict=True))
    activations, plan = calibrate(model, pairs), _plan()
    folder = tmp_path_factory.mktemp("graphs")
    write_graphs(model, activations, folder, plan)
    bundle = as_bundle(model, activations, folder)
    found = bundle.manifest.model_copy(update={"shortlist": plan.report})
    return open_sessions(replace(bundle, manifest=found, shortlist=plan.table))


def _decode(
    sessions: Sessions, options: Sequence[DecodeOptions], num_slots: int
) -> dict[Any, Hypothesis]:
    """Best hypothesis by (sentence, number of its options), all in one batch where they fit."""
    waiting = [
        DecodeRequest(handle=(i, k), source_ids=source, options=chosen)
        for i, source in enumerate(SOURCES)
        for k, chosen in enumerate(options)
    ]
    decoder: BatchDecoder[tuple[int, int]] = BatchDecoder(sessions, num_slots=num_slots)
    found = {}
    while waiting or decoder.num_rows:
        while waiting and waiting[0].options.beam_size <= decoder.free_slots:
            decoder.join(decoder.prefill([waiting.pop(0)]).sentences)
        found.update({f.handle: f.hypotheses[0] for f in decoder.step()})
    return found


def _texts(found: dict[Any, Hypothesis], number: int = 0) -> list[tuple[int, ...]]:
    return [found[i, number].target_ids for i in range(len(SOURCES))]


def test_no_sentence_depends_on_its_batch(sessions: Sessions) -> None:
    check_invariance(sessions, SOURCES)


def test_rows_with_the_whole_vocabulary_do_not_change_others(sessions: Sessions) -> None:
    alone = _texts(_decode(sessions, [GREEDY], num_slots=1))
    mixed = _decode(sessions, [GREEDY, SCORED, BEAM], num_slots=16)
    assert _texts(mixed, 0) == alone


def test_scores_do_not_change_the_translation(sessions: Sessions) -> None:
    assert _texts(_decode(sessions, [SCORED], 8)) == _texts(_decode(sessions, [GREEDY], 8))


def test_short_sentences_use_only_pieces_of_their_shortlist(sessions: Sessions) -> None:
    assert sessions.shortlist is not None
    blocks = sessions.shortlist.blocks(SOURCES)
    texts = _texts(_decode(sessions, [GREEDY], num_slots=8))
    whole = _texts(_decode(replace(sessions, uses_shortlist=False), [GREEDY], num_slots=8))
    assert texts != whole
    for i, (source, text, free) in enumerate(zip(SOURCES, texts, whole, strict=True)):
        if len(source) <= LONGEST:
            assert set(text) <= set(blocks[i].ids.tolist())
        else:
            assert text == free


def test_beams_choose_from_the_whole_vocabulary(sessions: Sessions) -> None:
    free = _decode(replace(sessions, uses_shortlist=False), [BEAM], num_slots=16)
    assert _texts(_decode(sessions, [BEAM], num_slots=16)) == _texts(free)
