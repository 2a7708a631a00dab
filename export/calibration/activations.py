"""Calibrates the grid of every activation on real sentences."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tqdm import tqdm

from export.calibration.cache import CacheObserver
from export.graphs.builder import GraphBuilder
from export.graphs.onnx_model import initializer
from export.graphs.transformer.attention import build_attention
from export.network import Network
from export.options import CalibrationOptions
from export.quantization import ROW_GRID, ActivationPlan, Grid, grid_between
from service.engine.graphs.encoder import pad

DEFAULTS = CalibrationOptions()
ROWS_PER_SENTENCE = 16
"""Sampled of every activation: enough to compare noise, and it bounds the memory."""


@dataclass(slots=True)
class _Observation:
    """Values of one activation."""

    lowest: list[float] = field(default_factory=list)
    """Per sentence."""
    highest: list[float] = field(default_factory=list)
    rows: list[NDArray[np.float32]] = field(default_factory=list)
    """Sampled rows, float32 [tokens, width] per sentence."""

    def add(self, rows: NDArray[np.float32]) -> None:
        """Add the rows of a sentence, [tokens, width]."""
        self.lowest.append(float(rows.min()))
        self.highest.append(float(rows.max()))
        self.rows.append(rows[:: -(-len(rows) // ROWS_PER_SENTENCE)])


def calibrate(
    network: Network,
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
    options: CalibrationOptions = DEFAULTS,
) -> ActivationPlan:
    """Choose constant grids, per-row scales where those are much worse, and the cache's scales.

    Args:
        network: The network.
        pairs: Source and target ids of real sentences, end tokens included.
        options: Percentiles and limits.
    """
    static: dict[str, Grid] = {}
    noise_ratios: dict[str, float] = {}
    # The state of a recurrence stays in float32, and so does the rest of its cache.
    has_cache = network.architecture.decoder_cell == "self_attention"
    cache = CacheObserver(network) if has_cache else None
    for name, seen in _observe(network, pairs, cache).items():
        is_encoder = name.startswith("encoder")
        percentile = options.encoder_percentile if is_encoder else options.decoder_percentile
        static[name] = grid_between(
            float(np.percentile(seen.lowest, 100 - percentile)),
            float(np.percentile(seen.highest, percentile)),
            options.num_levels,
        )
        noise_ratios[name] = noise_ratio(np.concatenate(seen.rows), static[name])
    per_row = {name for name, ratio in noise_ratios.items() if ratio > options.max_noise_ratio}
    return ActivationPlan(
        static={name: grid for name, grid in static.items() if name not in per_row},
        per_row=frozenset(per_row),
        noise_ratios=noise_ratios,
        cache=cache.scales() if cache else None,
    )


def noise_ratio(rows: NDArray[np.float32], grid: Grid) -> float:
    """Quantisation noise of a constant grid over that of per-row scales, as power.

    Args:
        rows: float32 [tokens, width].
        grid: The constant grid.
    """
    largest = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12)
    own = _power(ROW_GRID.rounded(rows / largest) * largest - rows)
    return _power(grid.rounded(rows) - rows) / max(own, 1e-20)


def _power(noise: NDArray[np.float32]) -> float:
    return float(np.mean(np.square(noise)))


def _observe(
    network: Network,
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
    cache: CacheObserver | None,
) -> dict[str, _Observation]:
    builder = GraphBuilder(network, None)
    graph, values = build_attention(builder, with_activations=True)
    graph.graph.initializer.extend([initializer(n, w) for n, w in builder.weights.items()])
    session = ort.InferenceSession(
        graph.SerializeToString(),
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["SkipLayerNormFusion"],
    )
    seen: defaultdict[str, _Observation] = defaultdict(_Observation)
    for source, target in tqdm(pairs, desc="calibrating", unit="sentence"):
        arrays = session.run(values, _feeds(source, target, network))
        rows = {
            name: array.reshape(-1, array.shape[-1])
            for name, array in zip(builder.activations, arrays, strict=True)
        }
        for name, held in rows.items():
            seen[name].add(held)
        if cache is not None:
            cache.add(rows)
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
