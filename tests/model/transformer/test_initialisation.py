"""What a network is before its first update."""

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from model.architecture import Architecture, NormPosition, Positions
from model.transformer import Transformer
from model.transformer.positions import PositionedEmbedding
from tests.model.networks import random_ids

WIDE = Architecture(
    vocab_size=300, d_model=256, d_ff=512, num_encoder_layers=2, num_decoder_layers=2
)
BOTH_STACKS = ("source", "target")

every_embedding = pytest.mark.parametrize(
    ("positions", "scale_embedding", "tie_embeddings"),
    list(product(get_args(Positions), (True, False), (True, False))),
)


def fresh(architecture: Architecture) -> Transformer:
    torch.manual_seed(0)
    return Transformer(architecture).eval()


def rms(tensor: Tensor) -> float:
    return float(tensor.detach().square().mean().sqrt())


@every_embedding
def test_tokens_and_positions_begin_with_one_magnitude(
    positions: Positions, scale_embedding: bool, tie_embeddings: bool
) -> None:
    network = fresh(
        replace(
            WIDE,
            positions=positions,
            scale_embedding=scale_embedding,
            tie_embeddings=tie_embeddings,
        )
    )
    for side in BOTH_STACKS:
        embedding = network.get_submodule(f"{side}_embedding")
        positioned = network.get_submodule(f"{side}_positions")
        assert isinstance(embedding, nn.Embedding)
        assert isinstance(positioned, PositionedEmbedding)
        tokens = rms(embedding.weight * positioned.scale)
        assert tokens == pytest.approx(1, rel=0.02)
        if positioned.weight.shape[1]:
            assert 0.5 < tokens / rms(positioned.weight[:100]) < 2


@every_embedding
@pytest.mark.parametrize("norm_position", get_args(NormPosition))
@torch.inference_mode()
def test_logits_begin_with_unit_variance(
    positions: Positions,
    scale_embedding: bool,
    tie_embeddings: bool,
    norm_position: NormPosition,
) -> None:
    """Larger ones would begin a run far above the loss of a uniform guess."""
    network = fresh(
        replace(
            WIDE,
            positions=positions,
            scale_embedding=scale_embedding,
            tie_embeddings=tie_embeddings,
            norm_position=norm_position,
        )
    )
    logits = network(random_ids(4, 9), None, random_ids(4, 12, seed=1))
    # A tied projection finds the token that it was given in the residual: its logit is larger.
    assert 0.7 < logits.std().item() < 1.5


def test_matrices_begin_with_glorot_biases_with_0_and_norms_with_1() -> None:
    """Glorot and Bengio (2010): uniform within the root of 6 / (inputs + outputs)."""
    network = fresh(replace(WIDE, d_model=128, num_heads=4))
    matrices = 0
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            assert parameter.eq(0).all(), name
        elif "norm" in name:
            assert parameter.eq(1).all(), name
        elif "layers" in name:
            bound = (6 / sum(parameter.shape)) ** 0.5
            assert 0.98 * bound < parameter.abs().max() <= bound, name
            assert rms(parameter) == pytest.approx(bound / 3**0.5, rel=0.03), name
            matrices += 1
    assert matrices == 2 * (4 + 2) + 2 * (4 + 4 + 2)


def test_an_untied_projection_begins_so_that_logits_have_unit_variance() -> None:
    weight = fresh(replace(WIDE, tie_embeddings=False)).output_projection.weight
    assert rms(weight) == pytest.approx(WIDE.d_model**-0.5, rel=0.02)
