"""The parts that make a Transformer, where no other test asks for them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.architecture import Activation, Architecture, NormPosition
from model.transformer import FeedForward, Transformer
from tests.model.networks import ARCHITECTURE, random_ids, random_network

FORMULAS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: x.clamp(min=0),
    "gelu": lambda x: x * torch.special.ndtr(x),
    "swish": lambda x: x * torch.sigmoid(x),
}


def test_the_default_is_the_base_model_of_the_paper() -> None:
    architecture = Architecture(vocab_size=37_000)
    with torch.device("meta"):
        network = Transformer(architecture)
    assert len(network.encoder.layers) == len(network.decoder.layers) == 6
    attention, norm = 4 * (512 * 512 + 512), 2 * 512
    feed_forward = 2 * 512 * 2048 + 2048 + 512
    layers = 6 * (attention + feed_forward + 2 * norm) + 6 * (
        2 * attention + feed_forward + 3 * norm
    )
    num_parameters = sum(p.numel() for p in network.parameters())
    assert num_parameters == layers + 37_000 * 512 + 37_000
    # The paper rounds to 65 million.
    assert num_parameters == pytest.approx(65e6, rel=0.05)


@pytest.mark.parametrize("activation", FORMULAS)
@torch.inference_mode()
def test_the_feed_forward_is_the_formula_on_each_position(activation: Activation) -> None:
    layer = FeedForward(replace(ARCHITECTURE, activation=activation)).eval()
    inputs = torch.randn(2, 5, 16)
    inner = functional.linear(inputs, layer.inner.weight, layer.inner.bias)
    expected = FORMULAS[activation](inner) @ layer.outer.weight.mT + layer.outer.bias
    torch.testing.assert_close(layer(inputs), expected)
    torch.testing.assert_close(layer(inputs[:, 2:3]), expected[:, 2:3])


@pytest.mark.parametrize("norm_position", ["post", "pre"])
@torch.inference_mode()
def test_both_stacks_end_normalised_wherever_the_norm_is(norm_position: NormPosition) -> None:
    network = Transformer(replace(ARCHITECTURE, norm_position=norm_position)).eval()
    ids = random_ids(2, 6)
    for hidden in (network.encode(ids, None), network.hidden(ids, None, ids)):
        torch.testing.assert_close(hidden.mean(-1), torch.zeros(2, 6), atol=1e-5, rtol=0)
        torch.testing.assert_close(
            hidden.var(-1, unbiased=False), torch.ones(2, 6), atol=1e-3, rtol=0
        )


@torch.inference_mode()
def test_dropout_is_at_its_four_places() -> None:
    network, seen = random_network(), Counter[str]()
    for name, module in network.named_modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(partial(_count, seen, name.removesuffix(".dropout")))
    network(random_ids(2, 6), None, random_ids(2, 5))
    encoder_layer = {"": 2, ".self_attention": 1, ".feed_forward": 1}
    decoder_layer = encoder_layer | {"": 3, ".cross_attention": 1}
    expected = {"source_positions": 1, "target_positions": 1}
    for stack, parts in (("encoder", encoder_layer), ("decoder", decoder_layer)):
        for i in range(2):
            expected |= {f"{stack}.layers.{i}{part}": count for part, count in parts.items()}
    assert seen == expected


def test_dropout_within_sub_layers_may_be_another() -> None:
    network = Transformer(replace(ARCHITECTURE, dropout=0.3, inner_dropout=0.0))
    found = {n.removesuffix(".dropout"): m.p for n, m in network.named_modules() if _drops(m)}
    inside = {name for name, share in found.items() if share == 0.0}
    assert inside == {name for name in found if name.endswith(("attention", "feed_forward"))}
    assert set(found.values()) == {0.0, 0.3}


def _drops(module: nn.Module) -> bool:
    return isinstance(module, nn.Dropout)


def _count(seen: Counter[str], name: str, *_: object) -> None:
    seen[name] += 1
