"""The whole forward pass against one that is written out, every dropout of which doubles.

In evaluation mode a dropout is nothing, and wherever it stood the outputs would be the same. Hooks
therefore make each of them multiply by two, as the formula here does at the places that the paper
names: after embedding and position are summed, on attention weights, between the activation and
the outer product of the feed-forward, and on a sub-layer's output before the residual sum.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from model.architecture import Architecture
from model.transformer import Transformer
from model.transformer.positions import sinusoidal_positions
from tests.model.networks import ARCHITECTURE, CONFIGURATIONS, random_ids, random_network

WRITTEN_OUT = {
    name: architecture
    for name, architecture in CONFIGURATIONS.items()
    if architecture.attention_score == "scaled_dot"
} | {
    "swish, post-norm": replace(ARCHITECTURE, activation="swish"),
    "gelu, pre-norm": replace(ARCHITECTURE, activation="gelu", norm_position="pre"),
    "unscaled, learned, pre-norm": replace(
        ARCHITECTURE, scale_embedding=False, positions="learned", norm_position="pre"
    ),
}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: x.clamp(min=0),
    "gelu": lambda x: x * torch.special.ndtr(x),
    "swish": lambda x: x * torch.sigmoid(x),
}


class WrittenOut:
    """The forward pass of Vaswani et al. (2017) on the weights of a network.

    It works on one sentence pair at a time, without batch, masks of padding or a cache.
    """

    def __init__(self, network: Transformer, factor: float) -> None:
        """Take the weights of `network`; every dropout multiplies by `factor`."""
        self.architecture = network.architecture
        self.weights = dict(network.named_parameters(remove_duplicate=False))
        self.factor = factor

    def logits(self, source_ids: Tensor, target_ids: Tensor) -> Tensor:
        """Logits [target, vocab] of ids [source] and [target]."""
        memory = self._embedded("source", source_ids)
        for i in range(self.architecture.num_encoder_layers):
            memory = self._layer(f"encoder.layers.{i}", memory)
        memory = self._final("encoder", memory)
        hidden = self._embedded("target", target_ids)
        for i in range(self.architecture.num_decoder_layers):
            hidden = self._layer(f"decoder.layers.{i}", hidden, memory)
        return self._linear("output_projection", self._final("decoder", hidden))

    def _embedded(self, side: str, ids: Tensor) -> Tensor:
        d_model = self.architecture.d_model
        tokens = self.weights[f"{side}_embedding.weight"][ids]
        if self.architecture.scale_embedding:
            tokens = tokens * d_model**0.5
        if self.architecture.positions == "sinusoidal":
            tokens = tokens + sinusoidal_positions(len(ids), d_model)
        elif self.architecture.positions == "learned":
            tokens = tokens + self.weights[f"{side}_positions.weight"][: len(ids)]
        return self.factor * tokens

    def _layer(self, name: str, hidden: Tensor, memory: Tensor | None = None) -> Tensor:
        is_causal = memory is not None

        def self_attention(inputs: Tensor) -> Tensor:
            return self._attention(f"{name}.self_attention", inputs, inputs, is_causal=is_causal)

        hidden = self._sub_layer(f"{name}.self_attention_norm", hidden, self_attention)
        if memory is not None:

            def cross_attention(inputs: Tensor) -> Tensor:
                return self._attention(f"{name}.cross_attention", inputs, memory, is_causal=False)

            hidden = self._sub_layer(f"{name}.cross_attention_norm", hidden, cross_attention)

        def feed_forward(inputs: Tensor) -> Tensor:
            activation = ACTIVATIONS[self.architecture.activation]
            inner = activation(self._linear(f"{name}.feed_forward.inner", inputs))
            return self._linear(f"{name}.feed_forward.outer", self.factor * inner)

        return self._sub_layer(f"{name}.feed_forward_norm", hidden, feed_forward)

    def _sub_layer(self, norm: str, hidden: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        if self.architecture.norm_position == "pre":
            return hidden + self.factor * function(self._norm(norm, hidden))
        return self._norm(norm, hidden + self.factor * function(hidden))

    def _attention(self, name: str, inputs: Tensor, attended: Tensor, *, is_causal: bool) -> Tensor:
        query = self._linear(f"{name}.query", inputs)
        key, value = (self._linear(f"{name}.{part}", attended) for part in ("key", "value"))
        width, heads = self.architecture.head_dim, []
        for h in range(self.architecture.num_heads):
            columns = slice(h * width, (h + 1) * width)
            ours, theirs = query[:, columns], key[:, columns]
            if self.architecture.positions == "rotary" and name.endswith("self_attention"):
                ours, theirs = rotated(ours), rotated(theirs)
            scores = ours @ theirs.T / width**0.5
            if f"{name}.distance.weight" in self.weights:
                scores = scores + self._biases(f"{name}.distance.weight", len(query))[..., h]
            if is_causal:
                later = torch.ones_like(scores).triu(1).bool()
                scores = scores.masked_fill(later, -torch.inf)
            weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
            heads.append((self.factor * weights) @ value[:, columns])
        return self._linear(f"{name}.output", torch.cat(heads, dim=-1))

    def _biases(self, name: str, length: int) -> Tensor:
        """Of relative positions, [query, key, heads]: first the farthest to the left."""
        longest = self.architecture.max_distance
        distance = torch.arange(length) - torch.arange(length)[:, None]
        return self.weights[name][distance.clamp(-longest, longest) + longest]

    def _linear(self, name: str, inputs: Tensor) -> Tensor:
        return inputs @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, name: str, inputs: Tensor) -> Tensor:
        centred = inputs - inputs.mean(-1, keepdim=True)
        variance = centred.square().mean(-1, keepdim=True)
        scaled = centred / (variance + 1e-5).sqrt()
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _final(self, stack: str, hidden: Tensor) -> Tensor:
        is_pre_norm = self.architecture.norm_position == "pre"
        return self._norm(f"{stack}.final_norm", hidden) if is_pre_norm else hidden


def rotated(vectors: Tensor) -> Tensor:
    """Su et al. (2021): pairs of channels of [length, head_dim] as complex numbers."""
    length, width = vectors.shape
    frequency = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] * frequency
    pairs = torch.view_as_complex(vectors.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(1)


def multiply_dropouts(network: Transformer, factor: float) -> None:
    """Make every dropout multiply by `factor` instead."""

    def multiply(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        return factor * output

    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(multiply)


@pytest.mark.parametrize("factor", [1.0, 2.0], ids=["without dropout", "doubling dropouts"])
@pytest.mark.parametrize("architecture", WRITTEN_OUT.values(), ids=WRITTEN_OUT.keys())
@torch.inference_mode()
def test_the_forward_pass_is_the_one_that_is_written_out(
    architecture: Architecture, factor: float
) -> None:
    network = random_network(architecture)
    sources, targets = random_ids(2, 6), random_ids(2, 5, seed=1)
    expected = WrittenOut(network, factor)
    multiply_dropouts(network, factor)
    for logits, source, target in zip(
        network(sources, None, targets), sources, targets, strict=True
    ):
        torch.testing.assert_close(logits, expected.logits(source, target), atol=1e-4, rtol=1e-4)
