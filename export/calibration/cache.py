"""Calibrates the scales of an int8 key/value cache on real sentences.

A channel is one element of one head: keys and values of a token are [heads * head_dim] channels.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.network import Network
from export.quantization import LARGEST_INT8, CacheScales, LayerCacheScales

SMALLEST_SCALE = 1e-6
"""Scale of a channel that is always 0."""

Float32 = NDArray[np.float32]


class CacheObserver:
    """Keeps the largest magnitude of every channel of every cache."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._largest: dict[str, Float32] = {}

    def add(self, activations: Mapping[str, Float32]) -> None:
        """Add the keys and values of a sentence.

        Args:
            activations: Inputs of linear layers, float32 [tokens, d_model], by tensor name.
        """
        for i in range(self._network.architecture.num_decoder_layers):
            layer = f"decoder.layers.{i}"
            self._note(f"{layer}.self_attention", activations[f"{layer}.self_attention.inputs"])
            self._note(f"{layer}.cross_attention", activations["encoder.memory"])

    def scales(self) -> CacheScales:
        """Scales at which none of the seen values is clipped."""
        scales = {
            name: np.maximum(largest / LARGEST_INT8, SMALLEST_SCALE).astype(np.float32)
            for name, largest in self._largest.items()
        }
        layers = (
            f"decoder.layers.{i}" for i in range(self._network.architecture.num_decoder_layers)
        )
        return CacheScales(
            layers=tuple(
                LayerCacheScales(
                    self_key=scales[f"{layer}.self_attention.key"],
                    self_value=scales[f"{layer}.self_attention.value"],
                    cross_key=scales[f"{layer}.cross_attention.key"],
                    cross_value=scales[f"{layer}.cross_attention.value"],
                )
                for layer in layers
            )
        )

    def _note(self, attention: str, inputs: Float32) -> None:
        weights = self._network.weights
        for name in (f"{attention}.key", f"{attention}.value"):
            held = inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
            largest = np.abs(held).max(axis=0)
            self._largest[name] = np.maximum(self._largest.get(name, largest), largest)
