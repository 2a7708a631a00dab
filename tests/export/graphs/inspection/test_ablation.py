"""A bundle without heads against the torch network whose output rows are zeros."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export.calibration.activations import calibrate
from export.verification.parity import check_parity, measure_parity
from export.verification.torch_reference import TorchReference
from model.transformer import Transformer
from service.engine.ablation import Head, bundle_without, canonical
from service.engine.graphs.attention_pass import PairAttention, attend
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.inspection import AttentionKind
from tests.export.networks import ALL_KINDS, network, open_graphs, random_ids, random_transformer

SOURCES, TARGETS = random_ids(8, seed=1), random_ids(8, seed=2)
MODULES = {
    "encoder": "encoder.layers.{}.self_attention.output.weight",
    "decoder": "decoder.layers.{}.self_attention.output.weight",
    "cross": "decoder.layers.{}.cross_attention.output.weight",
}


def zero(model: Transformer, head: Head) -> None:
    """What reads the head's context, set to zero in torch: columns of a matrix [out, in]."""
    matrix = model.get_parameter(MODULES[head.kind].format(head.layer))
    width = model.architecture.d_model // model.architecture.num_heads
    with torch.no_grad():
        matrix[:, head.head * width : (head.head + 1) * width] = 0


def outputs(sessions: Sessions) -> list[PairAttention]:
    return attend(sessions, SOURCES, TARGETS)


@pytest.mark.parametrize("architecture", ALL_KINDS.values(), ids=list(ALL_KINDS))
def test_graphs_without_heads_compute_the_network_without_them(
    architecture: dict[str, Any], tmp_path: Path
) -> None:
    model = random_transformer(**architecture)
    last = model.architecture.num_heads - 1
    heads = canonical([("encoder", 0, 0), ("decoder", 0, last), ("cross", 0, last)])
    whole = open_graphs(network(model), None, tmp_path / "graphs")
    for head in heads:
        zero(model, head)
    ablated = open_sessions(bundle_without(whole.bundle, heads))
    report = measure_parity(TorchReference(model), ablated, SOURCES, TARGETS)
    check_parity(report)
    assert report.identical_sentences == report.sentences == len(SOURCES)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_int8_without_a_head_is_the_int8_network_without_it(
    kind: AttentionKind, tmp_path: Path
) -> None:
    """The scales stay those of the whole network: only zeros are new."""
    model = random_transformer()
    plan = calibrate(network(model), list(zip(SOURCES, TARGETS, strict=True)))
    whole = open_graphs(network(model), plan, tmp_path / "whole")
    head = Head(kind, 1, 1)
    zero(model, head)
    expected = outputs(open_graphs(network(model), plan, tmp_path / "zeroed"))
    found = outputs(open_sessions(bundle_without(whole.bundle, (head,))))
    changed = 0.0
    for one, other, before in zip(found, expected, outputs(whole), strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=0.05)
        changed += float(np.abs(one.log_probs - before.log_probs).sum())
    assert changed > 1


def test_without_no_head_nothing_changes(tmp_path: Path) -> None:
    whole = open_graphs(network(random_transformer()), None, tmp_path / "graphs")
    for one, other in zip(
        outputs(whole), outputs(open_sessions(bundle_without(whole.bundle, ()))), strict=True
    ):
        np.testing.assert_array_equal(one.log_probs, other.log_probs)
        np.testing.assert_array_equal(one.cross, other.cross)


def test_heads_have_one_order() -> None:
    first = canonical([("cross", 1, 0), ("cross", 0, 1), ("cross", 1, 0)])
    assert first == canonical([("cross", 0, 1), ("cross", 1, 0)])
    assert first == (Head("cross", 0, 1), Head("cross", 1, 0))
