"""Every score against its formula, one query and one key at a time."""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from model.architecture import AttentionScore
from model.transformer import EncoderLayer
from model.transformer.attention_scores import INITIAL_SHARPNESS, attention_score
from tests.model.networks import ARCHITECTURE

KINDS: tuple[AttentionScore, ...] = get_args(AttentionScore)
HEADS, HEAD_DIM = ARCHITECTURE.num_heads, ARCHITECTURE.head_dim


def _random(kind: AttentionScore) -> nn.Module:
    torch.manual_seed(0)
    score = attention_score(replace(ARCHITECTURE, attention_score=kind))
    for parameter in score.parameters():
        nn.init.normal_(parameter)
    return score


def _formula(
    score: nn.Module, head: int
) -> dict[AttentionScore, Callable[[Tensor, Tensor], Tensor]]:
    weights = dict(score.named_parameters())
    return {
        "scaled_dot": lambda q, k: q.dot(k) / HEAD_DIM**0.5,
        "additive": lambda q, k: weights["weight"][head].dot((q + k).tanh()),
        "bilinear": lambda q, k: q.dot(weights["weight"][head] @ k) / HEAD_DIM**0.5,
        "euclidean": lambda q, k: -(q - k).norm().square() / (2 * HEAD_DIM**0.5),
        "cosine": lambda q, k: weights["sharpness"][head] * q.dot(k) / (q.norm() * k.norm()),
    }


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_scores_are_those_of_the_formula(kind: AttentionScore) -> None:
    score, query, key = _random(kind), torch.randn(2, HEADS, 3, 4), torch.randn(2, HEADS, 5, 4)
    scores = score(query, key)
    assert scores.shape == (2, HEADS, 3, 5)
    for b, h, q, k in torch.cartesian_prod(*map(torch.arange, scores.shape)).tolist():
        expected = _formula(score, h)[kind](query[b, h, q], key[b, h, k])
        torch.testing.assert_close(scores[b, h, q, k], expected, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_fresh_bilinear_score_is_the_scaled_dot_product() -> None:
    layer = EncoderLayer(replace(ARCHITECTURE, attention_score="bilinear"))
    plain = attention_score(ARCHITECTURE)
    query, key = torch.randn(2, 1, HEADS, 6, HEAD_DIM)
    found = layer.self_attention.score(query, key)
    torch.testing.assert_close(found, plain(query, key))


@torch.inference_mode()
def test_euclidean_attention_to_keys_of_one_length_is_that_of_the_dot_product() -> None:
    query, key = torch.randn(2, 1, HEADS, 6, HEAD_DIM)
    key = key / key.norm(dim=-1, keepdim=True)
    euclidean, plain = (
        attention_score(replace(ARCHITECTURE, attention_score=kind))(query, key).softmax(-1)
        for kind in ("euclidean", "scaled_dot")
    )
    torch.testing.assert_close(euclidean, plain)


@torch.inference_mode()
def test_cosines_do_not_see_how_long_a_vector_is_and_stay_within_their_sharpness() -> None:
    score = attention_score(replace(ARCHITECTURE, attention_score="cosine"))
    query, key = torch.randn(2, 1, HEADS, 6, HEAD_DIM)
    scores = score(query, key)
    torch.testing.assert_close(score(100 * query, 0.01 * key), scores)
    assert scores.abs().max() <= INITIAL_SHARPNESS * (1 + 1e-6)
    assert score(0 * query, key).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_equal_queries_and_keys_have_finite_gradients(kind: AttentionScore) -> None:
    vectors = torch.randn(1, HEADS, 3, HEAD_DIM, requires_grad=True)
    _random(kind)(vectors, vectors).sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()
