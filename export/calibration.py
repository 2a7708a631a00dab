"""Finds the scale of every activation from what it holds on real sentences."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tqdm import tqdm

from export.attention_graph import build_attention
from export.graph_builder import GraphBuilder, initializer
from export.network import Network
from export.quantize import LARGEST_INT8, ActivationPlan
from service.engine.encoder import pad

ENCODER_PERCENTILE = 90.0
DECODER_PERCENTILE = 99.0
"""Of the sentences' largest values. A few clipped outliers cost less than a coarse grid."""
MAX_NOISE_RATIO = 16.0
"""A tensor whose constant scale makes more than this many times the noise of per-row scales, as
power, is scaled per row."""


@dataclass(slots=True)
class _Observation:
    """What one activation held."""

    largest: list[float]
    """Per sentence."""
    rows: list[NDArray[np.float32]]
    """A sample of its rows, float32 [tokens, width]."""


def calibrate(
    network: Network, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> ActivationPlan:
    """Choose static scales, and per-row scales where static ones are much worse.

    Args:
        network: What is exported.
        pairs: Source and target ids of real sentences, end tokens included.
    """
    static: dict[str, float] = {}
    per_row: set[str] = set()
    for name, seen in _observe(network, pairs).items():
        percentile = ENCODER_PERCENTILE if name.startswith("encoder") else DECODER_PERCENTILE
        scale = float(np.percentile(seen.largest, percentile)) / LARGEST_INT8
        if noise_ratio(np.concatenate(seen.rows), scale) > MAX_NOISE_RATIO:
            per_row.add(name)
        else:
            static[name] = scale
    return ActivationPlan(static_scales=static, per_row=frozenset(per_row))


def noise_ratio(rows: NDArray[np.float32], scale: float) -> float:
    """Quantisation noise of a constant scale over that of per-row scales, as power.

    Args:
        rows: float32 [tokens, width].
        scale: Of one step of the constant grid.
    """
    own = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12) / LARGEST_INT8
    return _noise(rows, np.float32(scale)) / max(_noise(rows, own), 1e-20)


def _noise(rows: NDArray[np.float32], scale: NDArray[np.float32] | np.float32) -> float:
    grid = np.clip(np.rint(rows / scale), -LARGEST_INT8 - 1, LARGEST_INT8)
    return float(np.mean((grid * scale - rows) ** 2))


def _observe(
    network: Network, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> dict[str, _Observation]:
    builder = GraphBuilder(network, None)
    graph, values = build_attention(builder, with_activations=True)
    graph.graph.initializer.extend([initializer(n, w) for n, w in builder.weights.items()])
    session = ort.InferenceSession(
        graph.SerializeToString(),
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["SkipLayerNormFusion"],
    )
    seen: defaultdict[str, _Observation] = defaultdict(lambda: _Observation([], []))
    for source, target in tqdm(pairs, desc="calibrating", unit="sentence"):
        arrays = session.run(values, _feeds(source, target, network))
        for name, array in zip(builder.activations, arrays, strict=True):
            rows = array.reshape(-1, array.shape[-1])
            seen[name].largest.append(float(np.abs(rows).max()))
            seen[name].rows.append(rows)
    return dict(seen)


def _feeds(
    source: Sequence[int], target: Sequence[int], network: Network
) -> dict[str, NDArray[np.generic]]:
    ids = network.special_ids
    source_ids, source_lengths = pad([source], ids.pad)
    label_ids, target_lengths = pad([target], ids.pad)
    target_ids, _ = pad([[ids.bos, *target[:-1]]], ids.pad)
    return {
        "source_ids": source_ids,
        "source_lengths": source_lengths,
        "target_ids": target_ids,
        "target_lengths": target_lengths,
        "label_ids": label_ids,
    }
