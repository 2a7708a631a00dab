"""An imported network by its formulas in NumPy, in double precision.

It needs no torch, and is the only reference of networks whose decoder is a recurrence. Targets are
decoded token by token, or all at once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from export.graphs.builder import MASKED_SCORE
from export.network import Network
from export.quantization import Grid
from export.verification.reference_network import Float, Ids, TeacherForced
from service.engine.graphs.encoder import pad

Double = NDArray[np.float64]
Mask = NDArray[np.bool_]
GREEDY_BATCH = 50


@dataclass(slots=True)
class _Cache:
    """What the decoder remembers of its tokens, layer by layer; arrays of no tokens at first."""

    num_tokens: int = 0
    layers: dict[int, tuple[Double, Double]] = field(default_factory=dict)
    """Keys and values; of a recurrence its state, and the share of every token in it."""


class NumpyReference:
    """`ReferenceNetwork` of an imported network: scaled dot products, positions in a table."""

    def __init__(self, network: Network, grids: Mapping[str, Grid] | None = None) -> None:
        """Compute a network.

        Args:
            network: The network.
            grids: By the names of layers: their inputs are rounded to them, as by int8 graphs.
        """
        self._network = network
        self._grids = grids or {}
        self._shape = network.architecture
        self._weights = {n: w.astype(np.float64) for n, w in network.weights.items()}

    def memory(self, sources: Ids) -> list[tuple[Float, Float]]:
        """See `ReferenceNetwork`."""
        memory = self._encode(*self._padded(sources))[0]
        return [(_single(k), _single(v)) for k, v in self._memory(memory)]

    def teacher_forced(
        self, sources: Ids, targets: Ids, *, is_cached: bool = False
    ) -> TeacherForced:
        """See `ReferenceNetwork`."""
        ids, mask = self._padded(sources)
        memory, encoder = self._encode(ids, mask)
        start = self._network.special_ids.bos
        inputs, _ = self._padded([[start, *target[:-1]] for target in targets])
        cache, keys = _Cache(), self._memory(memory)
        length = inputs.shape[1]
        steps = np.split(inputs, length, axis=1) if is_cached else [inputs]
        found = [self._decode(step, keys, mask, cache) for step in steps]
        return TeacherForced(
            encoder=_single(encoder),
            decoder=_single(_joined([own for _, own, _ in found], length)),
            cross=_single(np.concatenate([cross for _, _, cross in found], axis=-2)),
            logits=_single(self._logits(np.concatenate([hidden for hidden, _, _ in found], 1))),
        )

    def greedy(self, sources: Ids, max_tokens: int) -> list[list[int]]:
        """See `ReferenceNetwork`."""
        starts = range(0, len(sources), GREEDY_BATCH)
        groups = (sources[start : start + GREEDY_BATCH] for start in starts)
        return [ids for group in groups for ids in self._greedy(group, max_tokens)]

    def _greedy(self, sources: Ids, max_tokens: int) -> list[list[int]]:
        ids, mask = self._padded(sources)
        keys, cache = self._memory(self._encode(ids, mask)[0]), _Cache()
        special = self._network.special_ids
        tokens = np.full((len(sources), 1), special.bos)
        rows: list[list[int]] = [[] for _ in sources]
        while cache.num_tokens < max_tokens and not all(special.eos in row for row in rows):
            hidden = self._decode(tokens, keys, mask, cache)[0]
            tokens = self._logits(hidden).argmax(axis=-1)
            for row, token in zip(rows, tokens[:, 0].tolist(), strict=True):
                row.append(token)
        return [row[: row.index(special.eos)] if special.eos in row else row for row in rows]

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], Mask]:
        ids, lengths = pad(rows, self._network.special_ids.pad)
        return ids, np.arange(ids.shape[1]) < lengths[:, None]

    def _encode(self, ids: NDArray[np.int64], mask: Mask) -> tuple[Double, Double]:
        """Memory [batch, source, d_model], and the maps of all layers."""
        hidden = self._embedded(ids, "source", 0)
        maps: list[Double] = []
        for i in range(self._shape.num_encoder_layers):
            layer = f"encoder.layers.{i}"
            name = f"{layer}.self_attention"

            def attend(value: Double, name: str = name) -> Double:
                keys = self._heads(value, f"{name}.key"), self._heads(value, f"{name}.value")
                return self._attend(value, name, keys, mask[:, None, None, :], maps)

            hidden = self._sublayer(hidden, f"{name}_norm", attend)
            hidden = self._feed_forward(hidden, layer)
        return self._final_norm(hidden, "encoder"), np.stack(maps)

    def _memory(self, memory: Double) -> list[tuple[Double, Double]]:
        names = [
            f"decoder.layers.{i}.cross_attention" for i in range(self._shape.num_decoder_layers)
        ]
        return [(self._heads(memory, f"{n}.key"), self._heads(memory, f"{n}.value")) for n in names]

    def _decode(
        self,
        tokens: NDArray[np.int64],
        keys: list[tuple[Double, Double]],
        mask: Mask,
        cache: _Cache,
    ) -> tuple[Double, Double, Double]:
        """Hidden states of new tokens, and the maps of all layers."""
        hidden = self._embedded(tokens, "target", cache.num_tokens)
        own: list[Double] = []
        cross: list[Double] = []
        for i in range(self._shape.num_decoder_layers):
            layer = f"decoder.layers.{i}"
            name = f"{layer}.cross_attention"

            def remember(value: Double, i: int = i) -> Double:
                if self._shape.decoder_cell == "ssru":
                    return self._recur(value, i, cache, own)
                return self._attend_back(value, i, cache, own)

            def look(value: Double, i: int = i, name: str = name) -> Double:
                return self._attend(value, name, keys[i], mask[:, None, None, :], cross)

            cell = "recurrence" if self._shape.decoder_cell == "ssru" else "self_attention"
            hidden = self._sublayer(hidden, f"{layer}.{cell}_norm", remember)
            hidden = self._sublayer(hidden, f"{name}_norm", look)
            hidden = self._feed_forward(hidden, layer)
        cache.num_tokens += tokens.shape[1]
        return self._final_norm(hidden, "decoder"), np.stack(own), np.stack(cross)

    def _recur(self, value: Double, layer: int, cache: _Cache, maps: list[Double]) -> Double:
        name = f"decoder.layers.{layer}.recurrence"
        keep = 1 / (1 + np.exp(-self._linear(value, f"{name}.forget")))
        new = self._linear(value, f"{name}.input")
        batch, length, width = value.shape
        none = (np.zeros((batch, width)), np.zeros((batch, 0, width)))
        state, shares = cache.layers.get(layer, none)
        outputs, rows = [], []
        for t in range(length):
            kept = keep[:, t]
            state = kept * state + (1 - kept) * new[:, t]
            # The empty state before the first token counts as a part of it.
            own = 1 - kept if shares.shape[1] else np.ones_like(kept)
            shares = np.concatenate([shares * kept[:, None], own[:, None]], axis=1)
            outputs.append(np.maximum(state, 0))
            rows.append(shares.reshape(batch, -1, self._shape.num_heads, self._shape.head_dim))
        cache.layers[layer] = (state, shares)
        total = shares.shape[1]
        means = [row.mean(axis=3).transpose(0, 2, 1) for row in rows]  # [batch, heads, tokens]
        maps.append(np.stack([_longer(mean, total) for mean in means], axis=2))
        return np.stack(outputs, axis=1)

    def _attend_back(self, value: Double, layer: int, cache: _Cache, maps: list[Double]) -> Double:
        name = f"decoder.layers.{layer}.self_attention"
        keys = self._heads(value, f"{name}.key"), self._heads(value, f"{name}.value")
        past = cache.layers.get(layer)
        if past is not None:
            new_key, new_value = (np.concatenate(pair, 2) for pair in zip(past, keys, strict=True))
            keys = new_key, new_value
        cache.layers[layer] = keys
        queries = np.arange(cache.num_tokens, cache.num_tokens + value.shape[1])
        seen = np.arange(keys[0].shape[2]) <= queries[:, None]
        return self._attend(value, name, keys, seen, maps)

    def _attend(
        self,
        value: Double,
        name: str,
        keys: tuple[Double, Double],
        allowed: Mask,
        maps: list[Double],
    ) -> Double:
        query = self._heads(value, f"{name}.query")
        scores = query @ keys[0].swapaxes(2, 3) / math.sqrt(self._shape.head_dim)
        scores = np.where(allowed, scores, MASKED_SCORE)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        maps.append(weights)
        context = (weights @ keys[1]).transpose(0, 2, 1, 3)
        return self._linear(context.reshape(*value.shape), f"{name}.output")

    def _feed_forward(self, hidden: Double, layer: str) -> Double:
        name = f"{layer}.feed_forward"

        def feed(value: Double) -> Double:
            inner = activated(self._linear(value, f"{name}.inner"), self._shape.activation)
            return self._linear(inner, f"{name}.outer")

        return self._sublayer(hidden, f"{name}_norm", feed)

    def _sublayer(self, hidden: Double, norm: str, sublayer: Callable[[Double], Double]) -> Double:
        if self._shape.norm_position == "pre":
            return hidden + sublayer(self._norm(hidden, norm))
        return self._norm(hidden + sublayer(hidden), norm)

    def _embedded(self, ids: NDArray[np.int64], side: str, first: int) -> Double:
        table: Float = getattr(self._network, f"{side}_positions")
        rows = self._weights[f"{side}_embedding.weight"][ids] * self._network.embedding_scale
        if table.shape[1]:
            rows = rows + table[first : first + ids.shape[1]]
        norm = f"{side}_positions.norm"
        return self._norm(rows, norm) if f"{norm}.weight" in self._weights else rows

    def _logits(self, hidden: Double) -> Double:
        name = "target_embedding" if self._network.is_tied else "output_projection"
        matrix = self._weights[f"{name}.weight"]
        rounded = self._rounded(hidden, "output_projection")
        return _product(rounded, matrix) + self._weights["output_projection.bias"]

    def _heads(self, value: Double, name: str) -> Double:
        """[batch, length, d_model] -> [batch, heads, length, head_dim], projected."""
        parts = (*value.shape[:2], self._shape.num_heads, self._shape.head_dim)
        return self._linear(value, name).reshape(parts).transpose(0, 2, 1, 3)

    def _linear(self, value: Double, name: str) -> Double:
        product = _product(self._rounded(value, name), self._weights[f"{name}.weight"])
        return product + self._weights[f"{name}.bias"]

    def _rounded(self, value: Double, layer: str) -> Double:
        grid = self._grids.get(layer)
        return value if grid is None else grid.rounded(_single(value)).astype(np.float64)

    def _final_norm(self, hidden: Double, stack: str) -> Double:
        name = f"{stack}.final_norm"
        return self._norm(hidden, name) if f"{name}.weight" in self._weights else hidden

    def _norm(self, value: Double, name: str) -> Double:
        centred = value - value.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        scaled: Double = centred / np.sqrt(variance + self._network.layer_norm_eps)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def activated(value: Double, name: str) -> Double:
    """The non-linearity of a feed-forward, by the manifest's name."""
    if name == "relu":
        return np.asarray(np.maximum(value, 0))
    if name == "gelu":
        return np.asarray(value * (1 + np.vectorize(math.erf)(value / math.sqrt(2))) / 2)
    if name == "gelu-tanh":
        inner = math.sqrt(2 / math.pi) * (value + 0.044715 * value**3)
        return np.asarray(value * (1 + np.tanh(inner)) / 2)
    slope = {"swish": 1.0, "gelu-sigmoid": 1.702}[name]
    return np.asarray(value / (1 + np.exp(-value * slope)))


def _product(value: Double, matrix: Double) -> Double:
    """[.., in] times [out, in], as one product."""
    flat: Double = value.reshape(-1, value.shape[-1]) @ matrix.T
    return flat.reshape(*value.shape[:-1], -1)


def _joined(steps: Sequence[Double], length: int) -> Double:
    """Rows of [layers, batch, heads, new, keys so far]; later keys have the weight 0."""
    return np.concatenate([_longer(step, length) for step in steps], axis=-2)


def _longer(value: Double, length: int) -> Double:
    """The last axis with zeros behind."""
    return np.pad(value, [(0, 0)] * (value.ndim - 1) + [(0, length - value.shape[-1])])


def _single(value: Double) -> Float:
    return value.astype(np.float32)
