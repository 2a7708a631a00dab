"""Attention from plain operators: the same values in every batch."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bundle.manifest import AttentionOperator
from bundle.tensors import DECODER_NAME, ENCODER_NAME
from export.network import Network, attention_operator, network_of
from export.verification.forced_decoding import forced_logits
from export.verification.parity import check_parity, measure_parity
from export.verification.torch_reference import TorchReference
from model.architecture import Architecture
from service.engine.graphs.sessions import Sessions, open_sessions
from tests.export.networks import (
    KINDS,
    MAX_TOKENS,
    PLAIN_KINDS,
    network,
    open_graphs,
    random_ids,
    random_transformer,
)

MAX_LONG = 150
"""More than two blocks, and no whole number of them."""
LENGTHS = (1, 2, 31, 63, 64, 65, 100, 127, 128, 129, MAX_LONG)


def _sentences(seed: int) -> list[list[int]]:
    source = random.Random(seed)
    lengths = source.sample(LENGTHS, len(LENGTHS))
    return [[*(source.randrange(4, 90) for _ in range(n - 1)), 3] for n in lengths]


def _open(network: Network, folder: Path) -> Sessions:
    """For long sentences."""
    bundle = open_graphs(network, None, folder).bundle
    limits = {"max_source_tokens": MAX_LONG, "max_target_tokens": MAX_LONG}
    return open_sessions(replace(bundle, manifest=bundle.manifest.model_copy(update=limits)))


@pytest.mark.parametrize("kind", PLAIN_KINDS.values(), ids=list(PLAIN_KINDS))
def test_other_rows_of_any_length_change_no_bit(kind: dict[str, Any], tmp_path: Path) -> None:
    model = random_transformer(**{**kind, "max_positions": MAX_LONG})
    shape = network_of(model, max_source=MAX_LONG, max_target=MAX_LONG)
    sessions = _open(shape, tmp_path / "graphs")
    sources, targets = _sentences(1), _sentences(2)
    together = forced_logits(sessions, sources, targets)
    for source, target, logits in zip(sources, targets, together, strict=True):
        (alone,) = forced_logits(sessions, [source], [target])
        assert np.array_equal(alone, logits)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_plain_operators_equal_the_fused_one_where_it_is_supported(
    kind: dict[str, Any], tmp_path: Path
) -> None:
    model = random_transformer(**kind)
    fused = network(model)
    changed = fused.architecture.model_copy(update={"attention_operator": "plain"})
    plain = replace(fused, architecture=changed)
    sessions = open_graphs(plain, None, tmp_path / "plain")
    sources, targets = random_ids(6, seed=1), random_ids(6, seed=2)
    check_parity(measure_parity(TorchReference(model), sessions, sources, targets))
    by_fused = forced_logits(open_graphs(fused, None, tmp_path / "fused"), sources, targets)
    for one, other in zip(by_fused, forced_logits(sessions, sources, targets), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "operator"),
    [
        *((kind, "fused") for kind in KINDS.values()),
        *((kind, "plain") for kind in PLAIN_KINDS.values()),
    ],
    ids=[*KINDS, *PLAIN_KINDS],
)
def test_the_manifest_names_the_attention_operator(
    change: dict[str, Any], operator: AttentionOperator, tmp_path: Path
) -> None:
    shape = network(random_transformer(**change))
    assert shape.architecture.attention_operator == operator
    folder = open_graphs(shape, None, tmp_path / "graphs").bundle.path
    for name in (ENCODER_NAME, DECODER_NAME):
        nodes = onnx.load(folder / name, load_external_data=False).graph.node
        assert any(n.op_type == "GroupQueryAttention" for n in nodes) == (operator == "fused")


def test_heads_that_the_fused_operator_refuses_use_plain_operators() -> None:
    shape = Architecture(vocab_size=9, d_model=32, num_heads=4)
    assert attention_operator(shape) == "fused"
    assert attention_operator(replace(shape, num_heads=8)) == "plain"


def test_nothing_is_added_to_embeddings_where_positions_are_relative() -> None:
    rotary = network(random_transformer(positions="rotary"))
    assert rotary.source_positions.shape == rotary.target_positions.shape == (MAX_TOKENS, 0)
