"""Runs JoeyNMT's Transformer by its formulas, which the import is compared with."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from bundle.manifest import SpecialIds
from export.graphs.builder import MASKED_SCORE
from export.importers.joeynmt.config import Model, Stack
from export.importers.networks.activations import known_activation
from export.importers.networks.torch_activations import activation_module
from export.importers.networks.uncached_search import UncachedSearch
from export.network import Float32
from export.verification.original_program import Ids
from model.greedy import pad_sources

_EPSILON = 1e-6


class JoeyOriginal(UncachedSearch):
    """Computes with the saved tensors in double precision."""

    def __init__(
        self,
        model: Model,
        tensors: Mapping[str, Float32],
        special_ids: SpecialIds,
        *,
        is_pre_norm: bool,
    ) -> None:
        """Take the tensors of a checkpoint; `is_pre_norm`: norms come before the sub-layers."""
        super().__init__(special_ids.eos)
        self._model = model
        self._tensors = {name: torch.from_numpy(t).double() for name, t in tensors.items()}
        self._ids = special_ids
        self._is_pre_norm = is_pre_norm
        self._factors = model.residual_factors()

    @property
    def implementation(self) -> str:
        """See `OriginalProgram`."""
        return f"JoeyNMT's formulas in torch {torch.__version__}"

    def _encode(self, sources: Ids) -> tuple[Tensor, Tensor]:
        ids, mask = pad_sources(sources, self._ids.pad)
        hidden = self._embedded(ids, "src_embed", "encoder", self._model.encoder)
        visible = mask[:, None, None, :]
        for i in range(self._model.encoder.num_layers):
            layer = f"encoder.layers.{i}"
            hidden = self._self_attention(hidden, layer, ("layer_norm", "src_src_att"), visible)
            hidden = self._feed_forward(hidden, layer)
        return self._ended(hidden, "encoder"), ~mask

    def _next_logits(self, rows: list[list[int]], memory: Tensor, padding: Tensor) -> Tensor:
        ids = torch.tensor([[self._ids.bos, *row] for row in rows])
        embeddings = "src_embed" if self._model.tied_embeddings else "trg_embed"
        stack = self._model.encoder if self._model.tied_embeddings else self._model.decoder
        hidden = self._embedded(ids, embeddings, "decoder", stack)
        earlier = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        visible = ~padding[:, None, None, :]
        for i in range(self._model.decoder.num_layers):
            layer = f"decoder.layers.{i}"
            hidden = self._self_attention(hidden, layer, ("x_layer_norm", "trg_trg_att"), earlier)
            hidden = self._cross_attention(hidden, layer, memory, visible)
            hidden = self._feed_forward(hidden, layer)
        last = self._ended(hidden, "decoder")[:, -1]
        logits = last @ self._tensors["decoder.output_layer.weight"].T
        # JoeyNMT filters them behind the softmax, so that the others do not sum to 1.
        logits[:, [self._ids.bos, self._ids.pad]] = MASKED_SCORE
        return logits

    def _embedded(self, ids: Tensor, embeddings: str, side: str, stack: Stack) -> Tensor:
        table = self._tensors[f"{embeddings}.lut.weight"]
        scale = table.shape[1] ** 0.5 if stack.embeddings.scale else 1.0
        return table[ids] * scale + self._tensors[f"{side}.pe.pe"][0, : ids.shape[1]]

    def _self_attention(
        self, hidden: Tensor, layer: str, names: tuple[str, str], visible: Tensor
    ) -> Tensor:
        norm, attention = (f"{layer}.{name}" for name in names)
        return self._residual(
            hidden, norm, lambda inputs: self._attention(attention, inputs, inputs, visible)
        )

    def _cross_attention(
        self, hidden: Tensor, layer: str, memory: Tensor, visible: Tensor
    ) -> Tensor:
        name = f"{layer}.src_trg_att"
        return self._residual(
            hidden,
            f"{layer}.dec_layer_norm",
            lambda inputs: self._attention(name, inputs, memory, visible),
        )

    def _feed_forward(self, hidden: Tensor, layer: str) -> Tensor:
        name = f"{layer}.feed_forward"
        activate = activation_module(known_activation(self._model.encoder.activation))
        return self._residual(
            hidden,
            f"{name}.layer_norm",
            lambda inputs: self._linear(
                f"{name}.pwff_layer.3", activate(self._linear(f"{name}.pwff_layer.0", inputs))
            ),
        )

    def _residual(self, hidden: Tensor, norm: str, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        factor = self._factors[norm.partition(".")[0]]
        if self._is_pre_norm:
            return sublayer(self._normalised(norm, hidden)) + factor * hidden
        return self._normalised(norm, sublayer(hidden) + factor * hidden)

    def _attention(self, name: str, inputs: Tensor, attended: Tensor, visible: Tensor) -> Tensor:
        parts = (("q_layer", inputs), ("k_layer", attended), ("v_layer", attended))
        query, key, value = (
            self._linear(f"{name}.{part}", what)
            .unflatten(-1, (self._model.encoder.num_heads, -1))
            .transpose(1, 2)
            for part, what in parts
        )
        scores = query / query.shape[-1] ** 0.5 @ key.transpose(2, 3)
        weights = scores.masked_fill(~visible, float("-inf")).softmax(dim=-1)
        return self._linear(f"{name}.output_layer", (weights @ value).transpose(1, 2).flatten(2))

    def _ended(self, hidden: Tensor, side: str) -> Tensor:
        return self._normalised(f"{side}.layer_norm", hidden) if self._is_pre_norm else hidden

    def _linear(self, name: str, inputs: Tensor) -> Tensor:
        weight, bias = (self._tensors[f"{name}.{part}"] for part in ("weight", "bias"))
        return functional.linear(inputs, weight, bias)

    def _normalised(self, name: str, inputs: Tensor) -> Tensor:
        weight, bias = (self._tensors[f"{name}.{part}"] for part in ("weight", "bias"))
        return functional.layer_norm(inputs, inputs.shape[-1:], weight, bias, _EPSILON)
