"""Writes graphs with their weights in one file that all graphs share."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from bundle.tensors import WEIGHTS_NAME
from export.graphs.onnx_model import initializer

PAGE_BYTES = 4096
"""onnxruntime maps pages; offsets that are no multiple of it are copied instead."""
ALIGNMENT = 64
"""Alignment of tensors smaller than a page."""
INLINE_BYTES = 256
"""Smaller tensors stay in the graph: its optimisation needs the values of shape arithmetic."""


class WeightFile:
    """Appends arrays to `weights.bin`; equal bytes are stored once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / WEIGHTS_NAME
        self._path.write_bytes(b"")
        self._offsets: dict[bytes, int] = {}
        self._end = 0

    def place(self, name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
        """Store an array, unless it is stored already, and return the reference to it."""
        if values.nbytes < INLINE_BYTES:
            return initializer(name, values)
        data = np.ascontiguousarray(values).tobytes()
        digest = hashlib.sha256(data).digest()
        if digest not in self._offsets:
            self._offsets[digest] = self._append(data)
        return _reference(name, values, self._offsets[digest])

    def _append(self, data: bytes) -> int:
        alignment = PAGE_BYTES if len(data) >= PAGE_BYTES else ALIGNMENT
        offset = -(-self._end // alignment) * alignment
        with self._path.open("r+b") as file:
            file.seek(offset)
            file.write(data)
        self._end = offset + len(data)
        return offset


def save_graphs(
    folder: Path,
    graphs: Mapping[str, onnx.ModelProto],
    weights: Mapping[str, Mapping[str, NDArray[np.generic]]],
) -> None:
    """Write graphs by file name, with the weights of each, to `folder`."""
    file = WeightFile(folder)
    for name, graph in graphs.items():
        tensors = [file.place(key, values) for key, values in weights[name].items()]
        graph.graph.initializer.extend(tensors)
        (folder / name).write_bytes(graph.SerializeToString())


def _reference(name: str, values: NDArray[np.generic], offset: int) -> onnx.TensorProto:
    tensor = onnx.TensorProto(
        name=name,
        data_type=numpy_helper.from_array(values.ravel()[:1]).data_type,
        dims=values.shape,
        data_location=onnx.TensorProto.EXTERNAL,
    )
    entries = {"location": WEIGHTS_NAME, "offset": str(offset), "length": str(values.nbytes)}
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor
