"""Binds graphs to buffers by pointer, so that no step copies or allocates a tensor."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Buffers = dict[str, NDArray[np.generic]]
"""Buffers by the name of the input or output."""
TensorName = Callable[[int], str]


def bind(
    session: ort.InferenceSession,
    inputs: Mapping[str, NDArray[np.generic]],
    outputs: Mapping[str, NDArray[np.generic]],
) -> ort.IOBinding:
    """A binding to contiguous buffers, which must outlive it at their addresses."""
    binding = session.io_binding()
    for name, buffer in inputs.items():
        binding.bind_input(name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
    for name, buffer in outputs.items():
        binding.bind_output(name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
    return binding


def layer_buffers(
    buffers: Sequence[NDArray[np.generic]], count: int, key: TensorName, value: TensorName
) -> Buffers:
    """The first `count` elements of keys and values, by name.

    Args:
        buffers: Key and value of layer 0, of layer 1, ...
        count: Rows or sources.
        key: Name of the keys of a layer.
        value: Name of its values.
    """
    names = [name(layer) for layer in range(len(buffers) // 2) for name in (key, value)]
    return {name: buffer[:count] for name, buffer in zip(names, buffers, strict=True)}
