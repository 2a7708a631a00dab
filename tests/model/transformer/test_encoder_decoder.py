from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model.architecture import Activation, Architecture, NormPosition, Positions
from model.transformer import (
    DecoderLayer,
    EncoderLayer,
    KeyValues,
    LayerCache,
    MultiHeadAttention,
    Transformer,
    causal_mask,
)
from model.transformer.positions import sinusoidal_positions
from tests.model.networks import ARCHITECTURE, CONFIGURATIONS, random_ids, random_network

PAD = ARCHITECTURE.pad_id

every_configuration = pytest.mark.parametrize(
    "architecture", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys()
)


def padded(ids: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Ids with padding up to `width`, and their mask."""
    result = torch.full((len(ids), width), PAD)
    result[:, : ids.shape[1]] = ids
    return result, torch.arange(width).expand(len(ids), width) < ids.shape[1]


@every_configuration
@torch.inference_mode()
def test_there_is_a_logit_for_every_piece_at_every_target_position(
    architecture: Architecture,
) -> None:
    network = random_network(architecture)
    logits = network(random_ids(3, 7), None, random_ids(3, 5))
    assert logits.shape == (3, 5, ARCHITECTURE.vocab_size)
    assert logits.isfinite().all()


@every_configuration
@pytest.mark.parametrize("num_first", [1, 3])
@torch.inference_mode()
def test_cached_steps_equal_the_full_pass_at_every_position(
    architecture: Architecture, num_first: int
) -> None:
    network = random_network(architecture)
    source, target = random_ids(2, 7), random_ids(2, 9, seed=1)
    source, mask = padded(source, 9)
    memory, cache = network.encode(source, mask), network.new_cache()
    steps = [network.decode(target[:, :num_first], memory, mask, cache)]
    for t in range(num_first, target.shape[1]):
        steps.append(network.decode(target[:, t : t + 1], memory, mask, cache))
    torch.testing.assert_close(torch.cat(steps, 1), network(source, mask, target))


@every_configuration
@torch.inference_mode()
def test_padding_and_neighbours_never_change_an_output(architecture: Architecture) -> None:
    network = random_network(architecture)
    source, target = random_ids(1, 6), random_ids(1, 5, seed=1)
    alone = network(source, None, target)
    long_source, mask = padded(source, 11)
    neighbours = random_ids(3, 11, seed=2)
    sources = torch.cat((neighbours[:1], long_source, neighbours[1:]))
    masks = torch.ones(4, 11, dtype=torch.bool)
    masks[1] = mask[0]
    targets = torch.cat((random_ids(1, 8, seed=3), padded(target, 8)[0], random_ids(2, 8, seed=4)))
    beside = network(sources, masks, targets)[1:2, :5]
    torch.testing.assert_close(beside, alone, atol=1e-5, rtol=1e-5)


@every_configuration
@torch.inference_mode()
def test_a_later_target_token_never_changes_an_earlier_output(architecture: Architecture) -> None:
    network = random_network(architecture)
    source, target = random_ids(1, 6), random_ids(1, 8, seed=1)
    before = network(source, None, target)
    for t in range(1, 8):
        changed = target.clone()
        changed[0, t] = (changed[0, t] + 1) % ARCHITECTURE.vocab_size
        after = network(source, None, changed)
        assert torch.equal(after[:, :t], before[:, :t])
        assert not torch.allclose(after[:, t:], before[:, t:])


@torch.inference_mode()
def test_every_source_token_can_change_every_output() -> None:
    network = random_network()
    source, target = random_ids(1, 6), random_ids(1, 4, seed=1)
    before = network(source, None, target)
    for s in range(6):
        changed = source.clone()
        changed[0, s] = (changed[0, s] + 1) % ARCHITECTURE.vocab_size
        after = network(changed, None, target)
        assert ((after - before).abs().amax(-1) > 1e-6).all()


@every_configuration
@torch.inference_mode()
def test_attention_rows_are_distributions_over_what_may_be_seen(architecture: Architecture) -> None:
    network = random_network(architecture)
    source, mask = padded(random_ids(2, 5), 7)
    target = random_ids(2, 6, seed=1)
    maps = network.attention_maps(source, mask, target)
    heads, layers = architecture.num_heads, architecture.num_decoder_layers
    assert maps.encoder.shape == (architecture.num_encoder_layers, 2, heads, 7, 7)
    assert maps.decoder.shape == (layers, 2, heads, 6, 6)
    assert maps.cross.shape == (layers, 2, heads, 6, 7)
    for weights in (maps.encoder, maps.decoder, maps.cross):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert (maps.encoder[..., 5:] == 0).all()
    assert (maps.cross[..., 5:] == 0).all()
    assert (maps.decoder.triu(1) == 0).all()
    assert (maps.decoder.tril() > 0).sum() == maps.decoder[..., 0, 0].numel() * 21
    torch.testing.assert_close(maps.logits, network(source, mask, target))


@every_configuration
@torch.inference_mode()
def test_attention_collected_token_by_token_is_that_of_one_pass(architecture: Architecture) -> None:
    network = random_network(architecture)
    source, mask = padded(random_ids(2, 5), 7)
    target = random_ids(2, 6, seed=1)
    whole = network.attention_maps(source, mask, target)
    cached = network.attention_maps(source, mask, target, is_cached=True)
    for kind in ("encoder", "decoder", "cross", "logits"):
        torch.testing.assert_close(getattr(cached, kind), getattr(whole, kind))
    assert (cached.decoder.triu(1) == 0).all()


@pytest.mark.parametrize(("is_cached", "lengths"), [(False, [6]), (True, [1] * 6)])
@torch.inference_mode()
def test_attention_is_collected_in_one_pass_or_token_by_token(
    is_cached: bool, lengths: list[int]
) -> None:
    network, seen = random_network(), []
    network.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    network.attention_maps(random_ids(2, 5), None, random_ids(2, 6), is_cached=is_cached)
    assert seen == lengths


@every_configuration
@torch.inference_mode()
def test_every_tensor_of_a_pass_is_on_the_device_of_the_network(architecture: Architecture) -> None:
    """Tensors on "meta" have a shape and no numbers; operators refuse to mix them with others."""
    network = Transformer(architecture).to("meta").eval()
    source = torch.ones(2, 5, dtype=torch.int64, device="meta")
    mask, target = source > 0, source[:, :4]
    assert network(source, mask, target).device.type == "meta"
    for is_cached in (False, True):
        maps = network.attention_maps(source, mask, target, is_cached=is_cached)
        assert maps.logits.device.type == "meta"


@torch.inference_mode()
def test_a_fully_masked_row_is_uniform_and_not_nan() -> None:
    attention = MultiHeadAttention(ARCHITECTURE).eval()
    inputs = torch.randn(1, 3, 16)
    nothing = torch.zeros(1, 1, 1, 3, dtype=torch.bool)
    outputs, weights = attention(inputs, attention.keys_and_values(inputs), nothing)
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 3))
    assert outputs.isfinite().all()


@torch.inference_mode()
def test_attention_equals_the_formula_computed_head_by_head() -> None:
    attention = MultiHeadAttention(ARCHITECTURE).eval()
    inputs, attended = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    outputs, _ = attention(inputs, attention.keys_and_values(attended), None)
    projected = [attention.query(inputs), attention.key(attended), attention.value(attended)]
    heads = []
    for h in range(4):
        query, key, value = (part[..., 4 * h : 4 * h + 4] for part in projected)
        heads.append(torch.softmax(query @ key.mT / 4**0.5, -1) @ value)
    torch.testing.assert_close(outputs, attention.output(torch.cat(heads, -1)))


@pytest.mark.parametrize("norm_position", ["post", "pre"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@torch.inference_mode()
def test_layers_equal_those_of_torch(norm_position: NormPosition, activation: Activation) -> None:
    network = random_network(
        replace(ARCHITECTURE, norm_position=norm_position, activation=activation)
    )
    hidden, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    mask = torch.arange(7).expand(2, 7) < torch.tensor([[7], [4]])
    arguments: dict[str, Any] = {
        "d_model": 16,
        "nhead": 4,
        "dim_feedforward": 24,
        "dropout": 0.0,
        "activation": activation,
        "norm_first": norm_position == "pre",
        "batch_first": True,
    }
    encoder, decoder = network.encoder.layers[0], network.decoder.layers[0]
    assert isinstance(encoder, EncoderLayer)
    assert isinstance(decoder, DecoderLayer)
    theirs = nn.TransformerEncoderLayer(**arguments).train()
    theirs.load_state_dict(_torch_state(encoder))
    ours, _ = encoder(memory, mask[:, None, None, :])
    expected = theirs(memory, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)

    their_decoder = nn.TransformerDecoderLayer(**arguments).train()
    their_decoder.load_state_dict(_torch_state(decoder))
    causal = causal_mask(5, 0)
    ours, _, _ = decoder(hidden, memory, causal, mask[:, None, None, :], LayerCache())
    expected = their_decoder(hidden, memory, tgt_mask=~causal, memory_key_padding_mask=~mask)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def _torch_state(layer: EncoderLayer | DecoderLayer) -> dict[str, Tensor]:
    """Weights of a layer by the names that torch gives them."""
    ours: dict[str, Tensor] = dict(layer.named_parameters())
    names = {"feed_forward.inner": "linear1", "feed_forward.outer": "linear2"}
    norms = ["self_attention_norm", "cross_attention_norm", "feed_forward_norm"]
    kept = [norm for norm in norms if f"{norm}.weight" in ours]
    names |= {norm: f"norm{i}" for i, norm in enumerate(kept, start=1)}
    state = {f"{b}.{k}": ours[f"{a}.{k}"] for a, b in names.items() for k in ("weight", "bias")}
    for mine, theirs in {
        "self_attention": "self_attn",
        "cross_attention": "multihead_attn",
    }.items():
        if f"{mine}.query.weight" not in ours:
            continue
        for kind in ("weight", "bias"):
            parts = [ours[f"{mine}.{part}.{kind}"] for part in ("query", "key", "value")]
            state[f"{theirs}.in_proj_{kind}"] = torch.cat(parts)
            state[f"{theirs}.out_proj.{kind}"] = ours[f"{mine}.output.{kind}"]
    return state


def test_causal_mask_shows_the_past_itself_and_nothing_later() -> None:
    expected = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]).bool()
    assert torch.equal(causal_mask(3, 2), expected)


def test_sinusoids_follow_the_paper() -> None:
    table = sinusoidal_positions(50, 8)
    assert table.shape == (50, 8)
    assert table.dtype == torch.float32
    assert torch.equal(table[0], torch.tensor([0.0, 1.0] * 4))
    angle = torch.tensor(7 / 10000 ** (2 / 8), dtype=torch.float64)
    assert table[7, 2].item() == pytest.approx(angle.sin().item(), abs=1e-6)
    assert table[7, 3].item() == pytest.approx(angle.cos().item(), abs=1e-6)


def test_tied_embeddings_are_one_matrix() -> None:
    network = Transformer(ARCHITECTURE)
    assert network.source_embedding.weight is network.target_embedding.weight
    assert network.source_embedding.weight is network.output_projection.weight
    untied = random_network(CONFIGURATIONS["untied"])
    count = sum(p.numel() for p in untied.parameters()) - sum(
        p.numel() for p in network.parameters()
    )
    assert count == 2 * ARCHITECTURE.vocab_size * ARCHITECTURE.d_model


def test_scaled_embeddings_have_unit_variance_at_the_start() -> None:
    torch.manual_seed(0)
    network = Transformer(ARCHITECTURE)
    scaled = network.source_embedding.weight * network.source_positions.scale
    assert scaled.std().item() == pytest.approx(1.0, abs=0.1)


def test_learned_positions_are_parameters_and_sinusoids_are_not() -> None:
    names = {"source_positions.weight", "target_positions.weight"}
    assert (
        names <= dict(random_network(CONFIGURATIONS["learned positions"]).named_parameters()).keys()
    )
    assert not names & Transformer(ARCHITECTURE).state_dict().keys()


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@torch.inference_mode()
def test_more_tokens_than_positions_are_refused(positions: Positions) -> None:
    network = random_network(replace(ARCHITECTURE, positions=positions, max_positions=6))
    network(random_ids(1, 6), None, random_ids(1, 6))
    with pytest.raises(ValueError, match="7 tokens, but the model has 6 positions"):
        network.encode(random_ids(1, 7), None)
    memory, cache = network.encode(random_ids(1, 6), None), network.new_cache()
    network.decode(random_ids(1, 6), memory, None, cache)
    with pytest.raises(ValueError, match="7 tokens"):
        network.decode(random_ids(1, 1), memory, None, cache)


def test_dropout_changes_outputs_in_training_and_not_in_evaluation() -> None:
    network = random_network()
    source, target = random_ids(2, 6), random_ids(2, 5)
    assert torch.equal(network(source, None, target), network(source, None, target))
    network.train()
    assert not torch.equal(network(source, None, target), network(source, None, target))


@every_configuration
def test_every_parameter_gets_a_gradient(architecture: Architecture) -> None:
    network = random_network(architecture)
    network(random_ids(2, 6), None, random_ids(2, 5)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # A key's bias shifts a whole row of scores, which softmax does not see.
        assert name.endswith("key.bias") or parameter.grad.abs().max() > 0, name


@torch.inference_mode()
def test_the_cache_holds_one_key_for_every_token_and_never_computes_one_again() -> None:
    network = random_network()
    memory, cache = network.encode(random_ids(1, 6), None), network.new_cache()
    network.decode(random_ids(1, 1), memory, None, cache)
    first = cache.layers[0].self_attention
    cross = cache.layers[0].cross_attention
    network.decode(random_ids(1, 2, seed=1), memory, None, cache)
    second = cache.layers[0].self_attention
    assert isinstance(first, KeyValues)
    assert isinstance(second, KeyValues)
    assert second.key.shape == (1, 4, 3, 4)
    assert torch.equal(second.key[:, :, :1], first.key)
    assert cache.layers[0].cross_attention is cross
    assert cache.num_tokens == 3
