"""Gives a session weights that are in memory already, without copies that last.

onnxruntime has two ways. `add_external_initializers` lets the graph's optimiser read the weights,
but the session keeps a copy of each that it does not repack: of the tables of embeddings.
`add_initializer` lets the session use the memory itself, but is right only for weights that the
optimiser leaves as they are: it transposes some and keeps their names.
"""

from collections.abc import Mapping

import numpy as np
import onnxruntime as ort

from service.engine.graphs.external_tensors import ExternalTensor, external_tensors


def add_weights(
    options: ort.SessionOptions, graph: bytes, files: Mapping[str, memoryview]
) -> list[ort.OrtValue]:
    """Let a session of `graph` find its weights in `files`.

    Args:
        options: Of the session; changed.
        graph: The serialised model.
        files: Contents by name.

    Returns:
        The weights, which have to live as long as the session.

    Raises:
        ValueError: The graph cannot be read, or names weights that are not there.
    """
    tensors = external_tensors(graph)
    weights = [_weight(tensor, files) for tensor in tensors]
    options.add_external_initializers([tensor.name for tensor in tensors], weights)
    for tensor, weight in zip(tensors, weights, strict=True):
        if tensor.is_table:
            options.add_initializer(tensor.name, weight)
    return weights


def _weight(tensor: ExternalTensor, files: Mapping[str, memoryview]) -> ort.OrtValue:
    content = files.get(tensor.file)
    end = tensor.offset + tensor.size_bytes
    if content is None or end > len(content):
        raise ValueError(f"{tensor.name}: {tensor.file} has no bytes {tensor.offset} to {end}")
    values = np.frombuffer(content[tensor.offset : end], dtype=tensor.dtype)
    return ort.OrtValue.ortvalue_from_numpy(values.reshape(tensor.shape))
