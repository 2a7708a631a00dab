from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
import torch
from torch import nn

from model.architecture import Architecture, AttentionScore, Positions
from model.errors import ConfigError
from model.transformer import DecoderLayer
from model.transformer.positions import PositionedEmbedding, RelativePositions, RotaryPositions
from tests.model.networks import ARCHITECTURE, random_ids, random_network

ROTARY = replace(ARCHITECTURE, positions="rotary")
RELATIVE = replace(ARCHITECTURE, positions="relative", max_distance=3)


@torch.inference_mode()
def test_products_of_rotated_vectors_depend_on_their_distance_only() -> None:
    rotary = RotaryPositions(ROTARY)
    query, key = (torch.randn(1, 1, 1, 4).expand(1, 1, 20, 4) for _ in range(2))
    products = torch.matmul(*(part.mT if i else part for i, part in enumerate(rotary(query, key))))
    for distance in range(-19, 20):
        diagonal = products[0, 0].diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-5, rtol=0)
    assert products[0, 0, 0].unique().numel() == 20


@torch.inference_mode()
def test_rotation_keeps_lengths_and_the_vector_of_the_first_token() -> None:
    vectors = torch.randn(2, 4, 9, 4)
    turned, _ = RotaryPositions(ROTARY)(vectors, vectors)
    torch.testing.assert_close(turned.norm(dim=-1), vectors.norm(dim=-1))
    assert torch.equal(turned[:, :, 0], vectors[:, :, 0])
    assert not torch.allclose(turned[:, :, 1:], vectors[:, :, 1:])


@torch.inference_mode()
def test_pairs_of_channels_are_rotated_as_in_the_paper() -> None:
    turned, _ = RotaryPositions(ROTARY)(torch.ones(1, 1, 6, 4), torch.ones(1, 1, 6, 4))
    for pair, frequency in enumerate((1.0, 10000 ** (-2 / 4))):
        angle = torch.tensor(5 * frequency)
        expected = torch.stack((angle.cos() - angle.sin(), angle.sin() + angle.cos()))
        torch.testing.assert_close(turned[0, 0, 5, 2 * pair : 2 * pair + 2], expected)


@torch.inference_mode()
def test_every_distance_has_its_bias_and_long_ones_share_one() -> None:
    relative = RelativePositions(RELATIVE)
    relative.weight.copy_(torch.arange(7.0)[:, None].expand(7, 4))
    expected = torch.tensor([[3, 4, 5, 6, 6, 6], [2, 3, 4, 5, 6, 6], [1, 2, 3, 4, 5, 6.0]])
    assert torch.equal(relative(6, 6)[0, :3], expected)
    assert torch.equal(relative(6, 6)[1, 5], torch.tensor([0, 0, 0, 1, 2, 3.0]))


@pytest.mark.parametrize("num_queries", [1, 2, 5])
@torch.inference_mode()
def test_new_queries_are_at_the_positions_of_the_last_keys(num_queries: int) -> None:
    distance, rotary = RelativePositions(RELATIVE), RotaryPositions(ROTARY)
    nn.init.normal_(distance.weight)
    assert torch.equal(distance(num_queries, 5), distance(5, 5)[:, -num_queries:])
    vectors = torch.randn(1, 1, 5, 4)
    whole, key = rotary(vectors, vectors)
    last, same_key = rotary(vectors[:, :, -num_queries:], vectors)
    assert torch.equal(last, whole[:, :, -num_queries:])
    assert torch.equal(same_key, key)


@pytest.mark.parametrize("positions", ["relative", "rotary"])
@torch.inference_mode()
def test_positions_within_attention_add_nothing_to_embeddings(positions: Positions) -> None:
    embedding = PositionedEmbedding(replace(ARCHITECTURE, positions=positions)).eval()
    embedded = torch.randn(1, 5, 16)
    assert torch.equal(embedding(embedded), embedded * 4)
    with pytest.raises(ValueError, match="25 tokens, but the model has 24 positions"):
        embedding(embedded, first_position=20)


def test_cross_attention_has_no_relative_or_rotary_positions() -> None:
    for architecture in (ROTARY, RELATIVE):
        layer = DecoderLayer(architecture)
        cross, own = layer.cross_attention, layer.self_attention
        assert (cross.rotary, cross.distance) == (None, None)
        assert (own.rotary is None) != (own.distance is None)


RELATIVE_KINDS: tuple[Positions, ...] = ("relative", "rotary")
ABSOLUTE_KINDS: tuple[Positions, ...] = ("sinusoidal", "learned")


def _accepted(
    kinds: Sequence[Positions],
) -> list[Architecture]:
    """Every attention score that goes with positions of these kinds."""
    found = []
    for positions, score in product(kinds, get_args(AttentionScore)):
        with suppress(ConfigError):
            found.append(replace(ARCHITECTURE, positions=positions, attention_score=score))
    return found


def _movement_by_left_padding(architecture: Architecture, num_padding: int) -> float:
    """Largest change of an encoder output when padding that is masked comes before its token."""
    network, ids = random_network(architecture), random_ids(2, 7)
    for parameter in network.encoder.parameters():
        nn.init.normal_(parameter, std=0.5)
    padding = torch.full((2, num_padding), architecture.pad_id)
    mask = torch.arange(num_padding + 7).expand(2, -1) >= num_padding
    padded = network.encode(torch.cat((padding, ids), dim=1), mask)
    return float((padded[:, num_padding:] - network.encode(ids, None)).abs().max())


def _pair(architecture: Architecture) -> str:
    return f"{architecture.positions}, {architecture.attention_score}"


@pytest.mark.parametrize("num_padding", [1, 5, 12])
@pytest.mark.parametrize("architecture", _accepted(RELATIVE_KINDS), ids=_pair)
@torch.inference_mode()
def test_relative_positions_do_not_see_how_much_comes_before(
    architecture: Architecture, num_padding: int
) -> None:
    assert _movement_by_left_padding(architecture, num_padding) < 1e-5


@pytest.mark.parametrize("architecture", _accepted(ABSOLUTE_KINDS), ids=_pair)
@torch.inference_mode()
def test_absolute_positions_see_how_much_comes_before(architecture: Architecture) -> None:
    assert _movement_by_left_padding(architecture, 5) > 0.01


def test_every_pair_of_positions_and_score_is_accepted_but_two() -> None:
    """A turned query and key meet in a product of the two, or positions stay absolute."""
    pairs = {_pair(each) for each in _accepted(get_args(Positions))}
    assert len(pairs) == 4 * 5 - 2
    assert not pairs & {"rotary, additive", "rotary, bilinear"}
