"""The candidates graph agrees with NumPy, in values and in the order of ties."""

from functools import cache
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.graphs.builder import GraphBuilder
from export.graphs.onnx_model import initializer
from export.graphs.transformer.candidates import LARGEST_BLOCK, build_candidates
from tests.export.networks import network, random_transformer

VOCAB_SIZES = {
    "one block": 90,
    "one full block": LARGEST_BLOCK,
    "blocks of a divisor": 1000,
    "a last block that is filled up": 1009,
    "a last block that holds one token": 2 * LARGEST_BLOCK + 1,
}
Ranked = dict[str, NDArray[Any]]

vocab_sizes = st.sampled_from(list(VOCAB_SIZES.values()))


@cache
def session(vocab_size: int) -> ort.InferenceSession:
    builder = GraphBuilder(network(random_transformer()), None)
    graph = build_candidates(builder, vocab_size)
    graph.graph.initializer.extend([initializer(n, w) for n, w in builder.weights.items()])
    return ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def rank(logits: NDArray[np.float32], num_candidates: int) -> Ranked:
    names = ["log_probs", "top_log_probs", "top_ids"]
    feeds = {"logits": logits, "num_candidates": np.array([num_candidates])}
    return dict(zip(names, session(logits.shape[1]).run(names, feeds), strict=True))


def assert_ranked(ranked: Ranked, logits: NDArray[np.float32], num_candidates: int) -> None:
    """Compare with a log-softmax in float64 and a stable sort of what came out of it."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    expected = wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
    log_probs = ranked["log_probs"]
    np.testing.assert_allclose(log_probs, expected, rtol=1e-6, atol=2e-6)
    best = np.argsort(-log_probs, axis=1, kind="stable")[:, :num_candidates]
    np.testing.assert_array_equal(ranked["top_ids"], best)
    np.testing.assert_array_equal(
        ranked["top_log_probs"], np.take_along_axis(log_probs, best, axis=1)
    )


@given(
    vocab_size=vocab_sizes,
    rows=st.integers(1, 5),
    num_candidates=st.integers(1, 16),
    step=st.sampled_from([0, 1, 4, 100]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_best_tokens_come_first_and_of_equals_the_lower_id(
    vocab_size: int, rows: int, num_candidates: int, step: int, seed: int
) -> None:
    """Logits are multiples of `step`, so that many are equal; 0: hardly any two are."""
    random = np.random.default_rng(seed)
    logits = (4 * random.normal(size=(rows, vocab_size))).astype(np.float32)
    if step:
        logits = np.floor(logits / step) * step
    assert_ranked(rank(logits, num_candidates), logits, num_candidates)


@pytest.mark.parametrize("vocab_size", VOCAB_SIZES.values(), ids=list(VOCAB_SIZES))
def test_as_many_candidates_as_tokens_are_all_tokens(vocab_size: int) -> None:
    logits = np.random.default_rng(0).normal(size=(3, vocab_size)).astype(np.float32)
    ranked = rank(logits, vocab_size)
    assert_ranked(ranked, logits, vocab_size)
    np.testing.assert_array_equal(np.sort(ranked["top_ids"], axis=1)[1], np.arange(vocab_size))


@pytest.mark.parametrize("vocab_size", VOCAB_SIZES.values(), ids=list(VOCAB_SIZES))
def test_candidates_that_share_a_block_are_all_found(vocab_size: int) -> None:
    """The best of other blocks are worse than the worst of one."""
    logits = np.zeros((1, vocab_size), np.float32)
    logits[0, -16:] = 5 + np.arange(16)
    logits[0, 7] = 4
    ranked = rank(logits, 16)
    assert ranked["top_ids"].tolist() == [list(range(vocab_size - 1, vocab_size - 17, -1))]


@given(vocab_size=vocab_sizes, rows=st.integers(2, 5), seed=st.integers(0, 2**32 - 1))
def test_the_ranking_of_a_row_does_not_depend_on_others(
    vocab_size: int, rows: int, seed: int
) -> None:
    logits = np.random.default_rng(seed).normal(size=(rows, vocab_size)).astype(np.float32)
    together = rank(logits, 8)
    for i in range(rows):
        for name, alone in rank(logits[i : i + 1], 8).items():
            np.testing.assert_array_equal(alone[0], together[name][i])


def test_padding_ranks_behind_every_token() -> None:
    vocab_size = VOCAB_SIZES["a last block that is filled up"]
    logits = np.full((1, vocab_size), -1e6, np.float32)
    logits[0, 3] = 0
    assert rank(logits, vocab_size)["top_ids"].max() == vocab_size - 1
