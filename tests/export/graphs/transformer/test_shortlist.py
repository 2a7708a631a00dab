"""The projection onto a shortlist gives logits bit-identical to the whole vocabulary's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from bundle import manifest
from bundle.shortlist import ShortlistTable, read_table
from bundle.tensors import DECODER_NAME, SHORTLIST_NAME, SHORTLIST_TABLE_NAME
from export.calibration.activations import calibrate
from export.graphs.writer import write_graphs
from export.lexicon.shortlist import ShortlistPlan
from export.network import Network
from export.quantization import ActivationPlan
from service.engine.cache.shortlist import NO_PIECE
from tests.export.networks import KINDS, MAX_TOKENS, network, random_ids, random_transformer

ROWS = 5
COMMON = np.array([3, 5, 8, 40, 41, 42, 77], np.int32)
OWN = np.random.default_rng(0).choice(90, (ROWS, 6))
OWN[2, 4:] = NO_PIECE
SHORTLIST = ShortlistPlan(
    table=ShortlistTable(
        common=COMMON, offsets=np.zeros(91, np.int32), targets=np.array([], np.int32)
    ),
    report=manifest.Shortlist(num_common=len(COMMON), num_own=6, max_source_tokens=20, num_pairs=1),
)


def _plan(network: Network, name: str) -> ActivationPlan:
    pairs = list(zip(random_ids(10, seed=3), random_ids(10, seed=4), strict=True))
    plan = replace(calibrate(network, pairs), cache=None)
    if name == "static":
        return plan
    return ActivationPlan(static={}, per_row=frozenset(plan.static) | plan.per_row)


def _decoder_feeds(decoder: ort.InferenceSession) -> dict[str, NDArray[np.generic]]:
    values = np.random.default_rng(1)
    axes = {"rows": ROWS, "capacity": MAX_TOKENS, "source": 7}
    cached = {
        tensor.name: values.standard_normal(
            [axes.get(axis, axis) for axis in tensor.shape], dtype=np.float32
        )
        for tensor in decoder.get_inputs()
        if tensor.name.startswith(("past_", "cross_"))
    }
    return {
        **cached,
        "input_ids": values.integers(4, 90, (ROWS, 1)),
        "positions": np.array([0, 3, 1, 9, 2], np.int32),
        "total": np.array([10], np.int32),
        "source_lengths": np.array([7, 1, 4, 5, 2], np.int32),
        "source_total": np.array([7], np.int32),
    }


@pytest.mark.parametrize("scales", ["static", "per-row"])
@pytest.mark.parametrize("architecture", KINDS.values(), ids=list(KINDS))
def test_logits_are_those_of_the_whole_vocabulary(
    architecture: dict[str, Any], scales: str, tmp_path: Path
) -> None:
    model = network(random_transformer(**architecture))
    write_graphs(model, _plan(model, scales), tmp_path, SHORTLIST)
    block = _open(tmp_path / SHORTLIST_NAME)
    names = [tensor.name for tensor in block.get_outputs()]
    prepared = dict(zip(names, block.run(names, {"shortlist_ids": OWN}), strict=True))
    assert prepared["shortlist_weights"].shape == (ROWS, model.architecture.d_model, 6)
    decoder = _open(tmp_path / DECODER_NAME)
    whole, short = (
        decoder.run(
            ["logits"],
            {**_decoder_feeds(decoder), **prepared, "whole_vocabulary": np.array([is_whole])},
        )[0]
        for is_whole in (True, False)
    )
    assert whole.shape == (ROWS, 90)
    assert whole.std() > 0.1
    own = np.take_along_axis(whole, OWN, axis=1)
    wanted = np.concatenate([whole[:, COMMON], own], axis=1)
    is_piece = np.concatenate([np.ones((ROWS, len(COMMON)), bool), OWN != NO_PIECE], axis=1)
    np.testing.assert_array_equal(short[is_piece], wanted[is_piece])
    assert (short[~is_piece] < -1e8).all()


def test_the_table_lies_beside_the_graphs(tmp_path: Path) -> None:
    model = network(random_transformer())
    write_graphs(model, _plan(model, "static"), tmp_path, SHORTLIST)
    np.testing.assert_array_equal(read_table(tmp_path / SHORTLIST_TABLE_NAME).common, COMMON)


def _open(path: Path) -> ort.InferenceSession:
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])
