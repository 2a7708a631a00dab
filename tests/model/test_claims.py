"""What is said of the Transformer, each sentence as a measurement of ours."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bundle.reader import read_bundle
from model.architecture import Architecture
from model.transformer import (
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    LayerCache,
    MultiHeadAttention,
    Transformer,
    causal_mask,
)
from model.transformer.attention_scores import ScaledDotProduct
from model.transformer.positions import sinusoidal_positions
from service.engine.graphs.attention_pass import PairAttention, attend
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.model.networks import ARCHITECTURE, random_ids, random_network

ROOT = Path(__file__).parents[2]
WIDE = Architecture(vocab_size=40, d_model=512, num_heads=8)
HEADS = (1, 2, 4, 8)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


# Attention: the product, its scale, its heads.


@pytest.mark.parametrize("d_k", [16, 64, 512])
def test_products_have_the_variance_of_their_width_and_scaled_ones_have_one(d_k: int) -> None:
    """With unit-variance q and k the dot product has variance d_k, and 1 after scaling."""
    query, key = torch.randn(2, 1, 1, 400, d_k)
    score = ScaledDotProduct(replace(ARCHITECTURE, d_model=d_k, num_heads=1))
    assert (query @ key.mT).var().item() == pytest.approx(d_k, rel=0.1)
    assert score(query, key).var().item() == pytest.approx(1, rel=0.1)


def test_the_gradient_of_unscaled_attention_vanishes() -> None:
    """Unscaled large logits drive the softmax gradient towards zero, here at d_k = 512."""
    query, key = torch.randn(1, 1, 1000, 512), torch.randn(1, 1, 10, 512)
    scaled = ScaledDotProduct(replace(WIDE, num_heads=1))(query, key)
    norms = [_softmax_gradients(scores) for scores in (query @ key.mT, scaled)]
    # Half of the rows get next to none; what is left is where two keys happen to be even.
    assert norms[0].median() < 0.01 * norms[1].median()
    assert norms[0].mean() < 0.5 * norms[1].mean()


def _softmax_gradients(scores: Tensor) -> Tensor:
    """Norm of the gradient that reaches each row's scores from its largest weight."""
    scores = scores.detach().requires_grad_()
    scores.softmax(-1).amax(-1).sum().backward()
    assert scores.grad is not None
    return cast("Tensor", torch.linalg.vector_norm(scores.grad, dim=-1))


def test_the_number_of_heads_changes_neither_parameters_nor_flops() -> None:
    """More heads do not change the parameter count or the FLOPs of attention."""
    architectures = [replace(ARCHITECTURE, num_heads=heads) for heads in HEADS]
    layers = [MultiHeadAttention(architecture) for architecture in architectures]
    assert len({sum(p.numel() for p in layer.parameters()) for layer in layers}) == 1
    assert len({_attention_flops(layer, 12)["total"] for layer in layers}) == 1
    assert _attention_flops(layers[0], 12)["total"] == 2 * (4 * 12 * 16**2 + 2 * 12**2 * 16)


@pytest.fixture(scope="module")
def trained_attention() -> list[PairAttention]:
    """Of the model that this repository ships, on sentences that it translates."""
    bundle = read_bundle(ROOT / "bundles" / "en-de")
    pair = bundle.manifest.pair("en", "de")
    assert pair is not None
    texts = (ROOT / "tests" / "data" / "sentences.en.txt").read_text("utf-8").splitlines()
    sources = [bundle.tokenizer.encode_source(text, pair) for text in texts[:20]]
    sessions = open_sessions(bundle)
    options = DecodeOptions(max_target_tokens=64, with_scores=False)
    eos = bundle.manifest.special_ids.eos
    found = [[*h[0].target_ids, eos] for h in decode_batch(sessions, sources, options)]
    return attend(sessions, sources, found)


@pytest.mark.parametrize("kind", ["encoder", "cross"])
def test_heads_of_a_trained_model_attend_differently(
    trained_attention: list[PairAttention], kind: str
) -> None:
    """Heads of a trained model attend differently: mean pairwise divergence above a bound."""
    for layer in range(getattr(trained_attention[0], kind).shape[0]):
        maps = [getattr(pair, kind)[layer] for pair in trained_attention]
        num_heads = maps[0].shape[0]
        assert num_heads > 1
        divergences = [
            _divergence(heads[a], heads[b])
            for heads in maps
            for a, b in combinations(range(num_heads), 2)
        ]
        assert np.mean(divergences) > 0.1


def _divergence(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Jensen-Shannon, mean over rows, in nats: 0 where equal, ln 2 where nothing is shared."""
    middle = (one + other) / 2
    return float(np.mean([_relative_entropy(one, middle), _relative_entropy(other, middle)]))


def _relative_entropy(weights: NDArray[np.float32], others: NDArray[np.floating[Any]]) -> float:
    ratio = np.log(np.maximum(weights, 1e-12) / np.maximum(others, 1e-12))
    return float((weights * ratio).sum(-1).mean())


def test_rows_of_trained_attention_are_sparse(trained_attention: list[PairAttention]) -> None:
    """Rows of attention are sparse: a few keys have most of the weight."""
    for kind in ("encoder", "cross"):
        rows = [
            row
            for pair in trained_attention
            for row in getattr(pair, kind).reshape(-1, getattr(pair, kind).shape[-1])
            if len(row) >= 12
        ]
        quarter = [np.sort(row)[-(len(row) // 4) :].sum() for row in rows]
        assert np.mean(quarter) > 0.75


def test_without_its_scale_the_trained_model_would_look_at_one_key_only(
    trained_attention: list[PairAttention],
) -> None:
    """Unscaled, the rows of the shipped model are nearly one-hot, and their gradient nearly 0.

    Weights are a softmax of q k / sqrt(d_k): `softmax(sqrt(d_k) * log p)` is that of q k itself.
    """
    architecture = read_bundle(ROOT / "bundles" / "en-de").manifest.architecture
    scale = (architecture.d_model // architecture.num_heads) ** 0.5
    served = [pair.encoder.reshape(-1, pair.encoder.shape[-1]) for pair in trained_attention]
    unscaled = [_softmax(scale * np.log(np.maximum(rows, 1e-30))) for rows in served]
    largest = [np.concatenate([rows.max(-1) for rows in maps]) for maps in (served, unscaled)]
    gradients = [np.median(weight * (1 - weight)) for weight in largest]
    assert largest[0].mean() < 0.7
    assert largest[1].mean() > 0.85
    assert gradients[1] < 0.1 * gradients[0]


def _softmax(scores: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    return cast("NDArray[np.floating[Any]]", exponentials / exponentials.sum(-1, keepdims=True))


def test_heads_without_a_causal_mask_prefer_one_side(
    trained_attention: list[PairAttention],
) -> None:
    """Without the mask past and future are both seen, and are not treated alike.

    Were they, each head would have half of its weight beside the diagonal on earlier tokens.
    """
    shares = np.mean([_share_of_past(pair.encoder) for pair in trained_attention], axis=0)
    assert shares.min() < 0.1
    assert shares.max() > 0.9
    assert np.mean(np.abs(shares - 0.5) > 0.2) > 0.5


def _share_of_past(maps: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Of each head's weight beside the diagonal, that on earlier tokens, [layers, heads]."""
    past, future = np.tril(maps, -1).sum((-2, -1)), np.triu(maps, 1).sum((-2, -1))
    return cast("NDArray[np.floating[Any]]", past / (past + future))


def test_scores_are_symmetric_only_without_separate_projections() -> None:
    """Q = K without separate projections gives a symmetric score matrix; separate ones do not."""
    inputs = torch.randn(2, 9, 16)
    attention = MultiHeadAttention(ARCHITECTURE)
    scores = _scores(attention, inputs)
    assert not torch.allclose(scores, scores.mT, atol=0.1)
    attention.key.load_state_dict(attention.query.state_dict())
    scores = _scores(attention, inputs)
    torch.testing.assert_close(scores, scores.mT)


def _scores(attention: MultiHeadAttention, inputs: Tensor) -> Tensor:
    projected = [attention.query(inputs), attention.key(inputs)]
    split = [part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in projected]
    return cast("Tensor", attention.score(*split))


# Positions.


@torch.inference_mode()
def test_only_positions_tell_the_encoder_the_order() -> None:
    """Without positions the encoder is permutation-equivariant; with them it is not."""
    network, ids, order = random_network(), random_ids(1, 9), torch.randperm(9)
    embedded = network.source_embedding(ids)
    plain, _ = network.encoder(embedded, None)
    shuffled, _ = network.encoder(embedded[:, order], None)
    torch.testing.assert_close(shuffled, plain[:, order])
    assert not torch.allclose(
        network.encode(ids[:, order], None), network.encode(ids, None)[:, order], atol=0.1
    )


@pytest.mark.parametrize("positions", ["learned", "relative", "rotary"])
@torch.inference_mode()
def test_alternative_positions_tell_the_encoder_the_order_too(positions: str) -> None:
    """Without positions the encoder is permutation-equivariant; with the alternatives it is not."""
    network = random_network(replace(ARCHITECTURE, positions=positions))  # type: ignore[arg-type]
    ids, order = random_ids(1, 9), torch.randperm(9)
    permuted = network.encode(ids[:, order], None)
    assert not torch.allclose(permuted, network.encode(ids, None)[:, order], atol=1e-3)


def test_sinusoids_are_unique_bounded_and_deterministic() -> None:
    """Sinusoids are unique per position, bounded and deterministic."""
    table = sinusoidal_positions(2000, 64)
    assert table.abs().max() <= 1
    assert torch.equal(table, sinusoidal_positions(2000, 64))
    distances = torch.cdist(table, table, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(torch.inf)
    assert distances.min() > 0.5


def test_sinusoids_go_on_beyond_the_training_length() -> None:
    """Sinusoids are defined beyond the training length, and what was known stays as it is."""
    longer = sinusoidal_positions(20_000, 64)
    assert longer.isfinite().all()
    assert torch.equal(longer[:512], sinusoidal_positions(512, 64))


@pytest.mark.parametrize("shift", [1, 7, 100])
def test_a_shift_of_sinusoids_is_one_linear_map(shift: int) -> None:
    """PE(p + k) is a fixed linear map of PE(p): every pair of columns is turned."""
    table = sinusoidal_positions(512 + shift, 64).double()
    angle = shift * 10000.0 ** (-torch.arange(0, 64, 2, dtype=torch.float64) / 64)
    blocks = torch.stack((angle.cos(), angle.sin(), -angle.sin(), angle.cos()), -1)
    rotation = torch.block_diag(*blocks.view(-1, 2, 2))
    torch.testing.assert_close(table[:512] @ rotation.mT, table[shift:], atol=1e-5, rtol=0)


def test_products_of_sinusoids_depend_on_the_distance_only() -> None:
    """The dot product of two positions depends on their distance only, whatever its sign."""
    table = sinusoidal_positions(300, 128)
    products = table @ table.mT
    for distance in range(300):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-3, rtol=0)
    torch.testing.assert_close(products, products.mT)


def test_products_of_sinusoids_decay_with_the_distance_on_average() -> None:
    """The dot product of two positions decays on average with their distance."""
    table = sinusoidal_positions(1025, 128)
    products = table @ table[0]
    assert (products[1:] < products[0]).all()
    edges = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1025]
    means = [products[a:b].mean() for a, b in pairwise(edges)]
    assert means == sorted(means, reverse=True)


# Masks.


@torch.inference_mode()
def test_a_later_target_token_never_changes_an_earlier_output() -> None:
    """Causal mask: changing a later target token never changes an earlier output."""
    network, source, target = random_network(), random_ids(1, 6), random_ids(1, 9, seed=1)
    before = network(source, None, target)
    for t in range(9):
        changed = target.clone()
        changed[0, t:] = random_ids(1, 9 - t, seed=2 + t)
        assert torch.equal(network(source, None, changed)[:, :t], before[:, :t])


@torch.inference_mode()
def test_padding_and_neighbours_never_change_a_sentence() -> None:
    """Padding mask: the amount of padding and the neighbours never change a sentence's output."""
    network, target = random_network(), random_ids(1, 5, seed=1)
    source = random_ids(1, 6)
    alone = network(source, None, target)
    for width in (6, 7, 15, 24):
        for neighbours in (0, 1, 5):
            sources = random_ids(1 + neighbours, width, seed=width)
            sources[:1, :6] = source
            mask = torch.ones_like(sources, dtype=torch.bool)
            mask[0, 6:] = False
            targets = torch.cat((target, random_ids(neighbours, 5, seed=2)))
            found = network(sources, mask, targets)[:1]
            torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)


# Normalisation, residuals, embeddings, dropout.


def test_layer_normalisation_does_not_see_the_batch() -> None:
    """Layer normalisation does not depend on the batch; batch normalisation does."""
    norm = cast("EncoderLayer", random_network().encoder.layers[0]).feed_forward_norm
    by_batch = nn.BatchNorm1d(16)
    sentence, one, other = torch.randn(3, 4, 16)
    for layer, depends in ((norm, False), (by_batch, True)):
        beside = [layer(torch.cat((sentence, 3 * mates)))[:4] for mates in (one, other)]
        assert torch.equal(*beside) != depends


def test_every_token_is_normalised_to_mean_0_and_variance_1() -> None:
    """Layer normalisation gives every token mean 0 and variance 1 before the affine part."""
    norm = cast("EncoderLayer", random_network().encoder.layers[0]).feed_forward_norm
    tokens = 5 + 3 * torch.randn(8, 16)
    plain = (norm(tokens) - norm.bias) / norm.weight
    torch.testing.assert_close(plain.mean(-1), torch.zeros(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(plain.var(-1, unbiased=False), torch.ones(8), atol=1e-4, rtol=0)


class _WithoutResidual(EncoderLayer):
    """An encoder layer from which the residual connections were taken."""

    def _after(self, norm: nn.Module, inputs: Tensor, outputs: Tensor) -> Tensor:
        return super()._after(norm, torch.zeros_like(inputs), outputs)


@pytest.mark.parametrize("norm_position", ["pre", "post"])
def test_residuals_keep_the_gradient_of_the_first_layer_alive(norm_position: str) -> None:
    """Residual connections keep the gradient of the first layer alive in a deep stack."""
    architecture = replace(ARCHITECTURE, norm_position=norm_position, dropout=0.0)  # type: ignore[arg-type]
    with_residual = _share_of_first_layer(EncoderLayer, architecture)
    without = _share_of_first_layer(_WithoutResidual, architecture)
    assert with_residual > 0.2
    assert without < 0.01 * with_residual


def _share_of_first_layer(
    layer: Callable[[Architecture], EncoderLayer], architecture: Architecture
) -> float:
    """Norm of the first layer's gradient over that of the last's, in a stack of 24."""
    torch.manual_seed(1)
    stack = [layer(architecture) for _ in range(24)]
    hidden, wanted = torch.randn(2, 4, 7, 16)
    for each in stack:
        hidden, _ = each(hidden, None)
    (hidden * wanted).sum().backward()
    first, last = (_gradient_norm(each) for each in (stack[0], stack[-1]))
    return first / last


def _gradient_norm(module: nn.Module) -> float:
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients).item()


@torch.inference_mode()
def test_scaling_brings_embeddings_to_the_magnitude_of_positions() -> None:
    """Embedding scaling brings tokens and positions to the same order of magnitude."""
    network = Transformer(replace(WIDE, num_encoder_layers=1, num_decoder_layers=1)).eval()
    positions = sinusoidal_positions(100, 512)
    for embedding, positioned in (
        (network.source_embedding, network.source_positions),
        (network.target_embedding, network.target_positions),
    ):
        embedded = embedding(random_ids(1, 100))
        scaled = positioned(embedded) - positions
        sizes = [part.square().mean().sqrt() for part in (embedded, scaled, positions)]
        assert sizes[0] < 0.1 * sizes[2]
        assert 0.5 < sizes[1] / sizes[2] < 2


def test_dropout_is_for_training_only() -> None:
    """Dropout changes outputs in training mode and not in evaluation mode."""
    network, source, target = random_network(), random_ids(2, 6), random_ids(2, 5)
    assert torch.equal(network(source, None, target), network(source, None, target))
    network.train()
    assert not torch.equal(network(source, None, target), network(source, None, target))


# Training, inference, and what they cost.


@torch.inference_mode()
def test_teacher_forcing_computes_what_decoding_step_by_step_computes() -> None:
    """Teacher-forced logits equal the step-by-step cached logits at every position."""
    network, source, target = random_network(), random_ids(2, 7), random_ids(2, 9, seed=1)
    memory, cache = network.encode(source, None), network.new_cache()
    steps = [network.decode(token, memory, None, cache) for token in target.split(1, dim=1)]
    assert len(steps) == 9
    torch.testing.assert_close(torch.cat(steps, 1), network(source, None, target))


def test_attention_costs_n_squared_d_and_the_feed_forward_n_d_squared() -> None:
    """Attention costs grow with n^2 d, counted in FLOPs, the feed-forward with n d^2."""
    for d_model in (16, 32):
        architecture = replace(ARCHITECTURE, d_model=d_model, d_ff=4 * d_model)
        for length in (8, 16, 64):
            attention = _attention_flops(MultiHeadAttention(architecture), length)
            assert attention["products"] == 4 * length**2 * d_model
            assert attention["projections"] == 8 * length * d_model**2
            inputs = torch.randn(1, length, d_model)
            with FlopCounterMode(display=False) as counter:
                FeedForward(architecture)(inputs)
            assert counter.get_total_flops() == 16 * length * d_model**2


def _attention_flops(attention: MultiHeadAttention, length: int) -> dict[str, int]:
    """Two for every multiplication with its addition: of matrices of weights, and of tokens."""
    inputs = torch.randn(1, length, attention.query.in_features)
    with FlopCounterMode(display=False) as counter:
        attention(inputs, attention.keys_and_values(inputs), None)
    counts = counter.get_flop_counts()["Global"]
    products = counts[torch.ops.aten.bmm]
    total = counter.get_total_flops()
    return {"total": total, "products": products, "projections": total - products}


@torch.inference_mode()
def test_cross_attention_goes_from_every_target_to_every_source_position() -> None:
    """Cross-attention has one row per target position and one column per source position."""
    network = random_network()
    for source, target in ((3, 11), (11, 3), (1, 1), (7, 7)):
        maps = network.attention_maps(random_ids(2, source), None, random_ids(2, target))
        assert maps.cross.shape == (2, 2, 4, target, source)
        torch.testing.assert_close(maps.cross.sum(-1), torch.ones(2, 2, 4, target))


@torch.inference_mode()
def test_cross_attention_asks_from_the_decoder_and_reads_from_the_encoder() -> None:
    """Queries of cross-attention come from the decoder, keys and values from the encoder."""
    layer = DecoderLayer(ARCHITECTURE).eval()
    hidden, memory, other = torch.randn(1, 4, 16), torch.randn(1, 6, 16), torch.randn(1, 6, 16)
    caches = [LayerCache(), LayerCache()]
    for values, cache in zip((memory, other), caches, strict=True):
        layer(hidden, values, causal_mask(4, 0), None, cache)
    expected = [layer.cross_attention.keys_and_values(values) for values in (memory, other)]
    for cache, want in zip(caches, expected, strict=True):
        assert cache.cross_attention is not None
        torch.testing.assert_close(cache.cross_attention.key, want.key)
        torch.testing.assert_close(cache.cross_attention.value, want.value)
