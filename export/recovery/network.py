"""Rebuilds the network of a bundle from its dequantised weights, without the checkpoint."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from bundle.reader import Bundle
from bundle.tensors import DECODER_NAME, ENCODER_NAME
from model.architecture import Architecture
from model.config import parse_recorded_config
from model.training.checkpoint import load_weights
from model.transformer import Transformer

Float32 = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]
"""Initialisers of the graphs by name; `export.graphs.builder` says what they are."""


def network_of_bundle(bundle: Bundle) -> Transformer:
    """Rebuild the torch network; of an int8 bundle with the rounding errors of int8.

    Raises:
        ConfigError: The manifest has no training configuration.
        CheckpointError: The graphs lack a weight of the architecture.
    """
    model = Transformer(_architecture(bundle)).eval()
    arrays = _read(bundle)
    state = dict(_linears(arrays)) | dict(_norms(arrays)) | dict(_embeddings(arrays, model))
    names = {name for name, _ in model.named_parameters()}
    weights = {n: torch.tensor(v) for n, v in state.items() if n in names}
    load_weights(model, weights)
    return model


def _architecture(bundle: Bundle) -> Architecture:
    """Architecture of the training, with the positions of the bundle."""
    manifest = bundle.manifest
    config = parse_recorded_config(manifest.provenance.training_config, where=str(bundle.path))
    trained = config.architecture.with_vocabulary(manifest.architecture.vocab_size)
    num_positions = max(manifest.max_source_tokens, manifest.max_target_tokens)
    return dataclasses.replace(trained, max_positions=num_positions)


def _read(bundle: Bundle) -> Arrays:
    graphs = [onnx.load(str(bundle.file(name))) for name in (ENCODER_NAME, DECODER_NAME)]
    return {t.name: numpy_helper.to_array(t) for g in graphs for t in g.graph.initializer}


def _linears(arrays: Arrays) -> Iterator[tuple[str, Float32]]:
    """Weights [out, in] and biases; a name with `+` holds the outputs of several side by side."""
    for name, values in arrays.items():
        joined = name.removesuffix(".weight")
        if joined == name or values.ndim != 2:
            continue
        layers = joined.split("+")
        matrix = values.astype(np.float32) * arrays.get(f"{joined}.scales", np.float32(1))
        bias = arrays[f"{joined}.bias"]
        for layer, columns, part in zip(
            layers,
            np.split(matrix, len(layers), axis=1),
            np.split(bias, len(layers)),
            strict=True,
        ):
            # Projections that fill an int8 cache were divided by the cache's scales.
            scales = arrays.get(f"{layer}_scales", np.float32(1))
            is_divided = ".cross_attention." in layer and len(layers) > 1
            factor = scales if is_divided else np.float32(1)
            yield f"{layer}.weight", (columns * factor).T
            yield f"{layer}.bias", part * factor
    if "output_projection.bias" in arrays:
        yield "output_projection.bias", arrays["output_projection.bias"]


def _norms(arrays: Arrays) -> Iterator[tuple[str, Float32]]:
    for name, values in arrays.items():
        if "norm." in name and values.ndim == 1:
            yield name, values


def _embeddings(arrays: Arrays, model: Transformer) -> Iterator[tuple[str, Float32]]:
    for side in ("source", "target"):
        name = "shared_embedding" if model.architecture.tie_embeddings else f"{side}_embedding"
        scales = arrays.get(f"{name}_row_scales")
        table = arrays[name].astype(np.float32)
        if scales is not None:
            table *= scales / np.float32(model.source_positions.scale)
        yield f"{side}_embedding.weight", table
        if model.architecture.positions == "learned":
            given = arrays[f"{side}_positions"]
            rows = np.zeros((model.architecture.max_positions, given.shape[1]), dtype=np.float32)
            rows[: len(given)] = given
            yield f"{side}_positions.weight", rows
