"""Rollout, value zeroing and ALTI+ of our own network in torch, in double precision.

Independent of the graphs: hooks on the modules take values away and record what layers return, and
the layers are joined in one matrix over source and target side by side.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.transformer import MultiHeadAttention, Transformer

Shares = tuple[NDArray[np.float64], NDArray[np.float64]]
"""[target, source] and [target, target]."""


class TorchCauses:
    """The methods for one pair."""

    def __init__(self, model: Transformer, source: Sequence[int], target: Sequence[int]) -> None:
        self._model = model.double().eval()
        self._source = torch.tensor([source])
        self._target = torch.tensor([[model.architecture.bos_id, *target[:-1]]])
        self._num_source = len(source)

    @torch.inference_mode()
    def rollout(self) -> Shares:
        maps = self._model.attention_maps(self._source, None, self._target)
        encoder, decoder, cross = (
            m[:, 0].mean(dim=1) for m in (maps.encoder, maps.decoder, maps.cross)
        )
        encoders = [(w + torch.eye(len(w))) / 2 for w in encoder]
        own = [(w + torch.eye(len(w))) / 4 for w in decoder]
        return self._joined(encoders, own, [w / 2 for w in cross])

    @torch.inference_mode()
    def value_zeroing(self) -> Shares:
        clean = self._layer_outputs({})
        encoder = [self._moved(clean, layer, "encoder") for layer in self._model.encoder.layers]
        decoder = [self._moved(clean, layer, "decoder") for layer in self._model.decoder.layers]
        n = self._num_source
        encoders = [_shares(m) for m in encoder]
        both = [_shares(m) for m in decoder]
        return self._joined(encoders, [m[:, n:] for m in both], [m[:, :n] for m in both])

    @torch.inference_mode()
    def alti(self) -> Shares:
        encoders, own, cross = [], [], []
        with ExitStack() as stack:
            calls = {
                a: stack.enter_context(_recorded(a))
                for a in self._model.modules()
                if isinstance(a, MultiHeadAttention)
            }
            inputs = {
                layer: stack.enter_context(_recorded(layer))
                for layer in (*self._model.encoder.layers, *self._model.decoder.layers)
            }
            self._model(self._source, None, self._target)
        for layer in self._model.encoder.layers:
            hidden = inputs[layer][0][0]
            encoders.append(_shares(self._near(layer, "self_attention", calls, hidden)[0]))
        for layer in self._model.decoder.layers:
            near, hidden = self._near(layer, "self_attention", calls, inputs[layer][0][0])
            outside, _ = self._near(layer, "cross_attention", calls, hidden, is_own=False)
            outside = _shares(outside)
            own.append(outside[:, -1:] * _shares(near))
            cross.append(outside[:, :-1])
        return self._joined(encoders, own, cross)

    def _near(
        self,
        layer: Any,  # noqa: ANN401 - of encoder or decoder
        name: str,
        calls: dict[MultiHeadAttention, list[Any]],
        hidden: Tensor,
        *,
        is_own: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """What each token takes off the distance to the output, and the output itself."""
        attention, norm = getattr(layer, name), getattr(layer, f"{name}_norm")
        (_, attended, _), (out, weights) = calls[attention]
        output, hidden = attention.output, hidden[0]
        by_head = output.weight.unflatten(1, (attention.num_heads, -1))  # [d, heads, head_dim]
        vectors = torch.einsum("hqk,hkc,dhc->qkd", weights[0], attended.value[0], by_head)
        if is_own:
            vectors = vectors + torch.eye(len(hidden))[:, :, None] * hidden[:, None]
        else:
            vectors = torch.cat([vectors, hidden[:, None]], dim=1)
        total = hidden + out[0]
        result = total
        if not layer.is_pre_norm:
            result = norm(total)
            deviation = torch.sqrt(total.var(dim=-1, unbiased=False) + norm.eps)
            vectors = (vectors - vectors.mean(dim=-1, keepdim=True)) * norm.weight
            vectors = vectors / deviation[:, None, None]
        whole = result.abs().sum(dim=-1, keepdim=True)
        return (whole - (result[:, None] - vectors).abs().sum(dim=-1)).clamp(min=0), result[None]

    def _moved(self, clean: dict[nn.Module, Tensor], layer: Any, stack: str) -> Tensor:  # noqa: ANN401
        """Distances [query, token] of one layer's output without each token."""
        n, t = self._source.shape[1], self._target.shape[1]
        columns = []
        attentions = [(layer.self_attention, range(n if stack == "encoder" else t))]
        if stack == "decoder":
            attentions.insert(0, (layer.cross_attention, range(n)))
        for attention, tokens in attentions:
            for token in tokens:
                moved = self._layer_outputs(clean, attention, token)[layer]
                columns.append(1 - functional.cosine_similarity(moved, clean[layer], dim=-1)[0])
        return torch.stack(columns, dim=1)

    def _layer_outputs(
        self,
        clean: dict[nn.Module, Tensor],
        attention: MultiHeadAttention | None = None,
        token: int = 0,
    ) -> dict[nn.Module, Tensor]:
        """What each layer returns without one token's values; the next reads the clean output."""
        found: dict[nn.Module, Tensor] = {}

        def record(layer: nn.Module, _: object, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            found[layer] = output[0]
            return (clean.get(layer, output[0]), *output[1:])

        def forget(_: nn.Module, __: object, output: Tensor) -> Tensor:
            return output.index_fill(1, torch.tensor([token]), 0)

        with ExitStack() as stack:
            for layer in (*self._model.encoder.layers, *self._model.decoder.layers):
                stack.callback(layer.register_forward_hook(record).remove)
            if attention is not None:
                stack.callback(attention.value.register_forward_hook(forget).remove)
            self._model(self._source, None, self._target)
        return found

    def _joined(self, encoders: list[Tensor], own: list[Tensor], cross: list[Tensor]) -> Shares:
        n, t = self._source.shape[1], self._target.shape[1]
        whole = torch.eye(n + t, dtype=torch.float64)
        for matrix in encoders:
            layer = torch.eye(n + t, dtype=torch.float64)
            layer[:n, :n] = matrix
            whole = layer @ whole
        for left, right in zip(cross, own, strict=True):
            layer = torch.eye(n + t, dtype=torch.float64)
            layer[n:, :n], layer[n:, n:] = left, right
            whole = layer @ whole
        return whole[n:, :n].numpy(), whole[n:, n:].numpy()


@contextmanager
def _recorded(module: nn.Module) -> Iterator[list[Any]]:
    """Fills a list with the arguments and the output of a module's call."""
    found: list[Any] = []

    def record(_: nn.Module, arguments: object, output: object) -> None:
        found.extend([arguments, output])

    handle = module.register_forward_hook(record)
    try:
        yield found
    finally:
        handle.remove()


def _shares(near: Tensor) -> Tensor:
    return near / near.sum(dim=-1, keepdim=True)
