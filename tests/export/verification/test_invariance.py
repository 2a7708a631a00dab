"""The arithmetic of a row depends neither on other rows nor on padding or the batch's size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from bundle.tensors import DECODER_NAME
from export.calibration.activations import calibrate
from export.errors import VerificationError
from export.quantization import ActivationPlan
from export.verification.forced_decoding import forced_logits
from export.verification.invariance import check_invariance
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.sessions import Sessions, open_sessions
from tests.export.networks import (
    KINDS,
    network,
    open_graphs,
    random_ids,
    random_transformer,
)

SOURCES, TARGETS = random_ids(40, seed=1), random_ids(40, seed=2)
PLANS = ("fp32", "static", "per-row", "float32 cache")


def _plan(kind: str, name: str) -> ActivationPlan | None:
    if name == "fp32":
        return None
    pairs = list(zip(random_ids(20, seed=3), random_ids(20, seed=4), strict=True))
    plan = calibrate(network(random_transformer(**KINDS[kind])), pairs)
    if name == "static":
        return plan
    if name == "float32 cache":
        return replace(plan, cache=None)
    return replace(plan, static={}, per_row=frozenset(plan.static) | plan.per_row)


@pytest.fixture(
    scope="module",
    params=[(kind, plan) for kind in KINDS for plan in PLANS],
    ids=lambda param: f"{param[1]}, {param[0]}",
)
def sessions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    kind, plan = request.param
    folder = tmp_path_factory.mktemp("kind") / "graphs"
    return open_graphs(network(random_transformer(**KINDS[kind])), _plan(kind, plan), folder)


def test_logits_are_the_same_alone_and_in_a_ragged_batch(sessions: Sessions) -> None:
    together = forced_logits(sessions, SOURCES, TARGETS)
    for source, target, logits in zip(SOURCES, TARGETS, together, strict=True):
        (alone,) = forced_logits(sessions, [source], [target])
        np.testing.assert_allclose(alone, logits, rtol=0, atol=1e-6 * np.abs(logits).max())


def test_translations_are_the_same_alone_and_in_batches(sessions: Sessions) -> None:
    check_invariance(sessions, SOURCES)


def test_attention_is_the_same_alone_and_in_a_batch(sessions: Sessions) -> None:
    together = attend(sessions, SOURCES, TARGETS)
    for source, target, pair in zip(SOURCES, TARGETS, together, strict=True):
        (alone,) = attend(sessions, [source], [target])
        np.testing.assert_allclose(alone.cross, pair.cross, rtol=0, atol=1e-5)
        np.testing.assert_allclose(alone.log_probs, pair.log_probs, rtol=0, atol=1e-4)


def test_a_scale_over_the_whole_batch_is_caught(tmp_path: Path) -> None:
    model = network(random_transformer())
    folder = tmp_path / "graphs"
    bundle = open_graphs(model, _plan("post-norm, ReLU", "static"), folder).bundle
    _quantize_dynamically(folder / DECODER_NAME)
    with pytest.raises(VerificationError, match=r"[0-9]+ of 40 translations depend"):
        check_invariance(open_sessions(bundle), SOURCES)


def _quantize_dynamically(path: Path) -> None:
    """The common recipe: one scale per tensor, found at run time over all rows."""
    graph = onnx.load(path, load_external_data=False)
    for node in [n for n in graph.graph.node if n.op_type == "QuantizeLinear"]:
        values, outputs = node.output[0], [f"{node.output[0]}_{i}" for i in range(2)]
        for reader in graph.graph.node:
            if reader.op_type == "MatMulIntegerToFloat" and reader.input[0] == values:
                reader.input[2], reader.input[4] = outputs
        dynamic = helper.make_node("DynamicQuantizeLinear", node.input[:1], [values, *outputs])
        node.CopyFrom(dynamic)
    path.write_bytes(graph.SerializeToString())
