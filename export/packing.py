"""Graphs and weights into files: each weight once, in one file that all graphs share."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from bundle.manifest import FileEntry
from bundle.reader import sha256_of
from bundle.tensors import WEIGHTS_NAME
from export.graph_builder import initializer

ALIGNMENT = 4096
"""onnxruntime maps a page; offsets that are no multiple of it are copied instead."""
INLINE_BYTES = 256
"""Smaller tensors stay in the graph: shape arithmetic must be known when it is optimised."""


class WeightFile:
    """Appends arrays to `weights.bin`, each name once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / WEIGHTS_NAME
        self._path.write_bytes(b"")
        self._placed: dict[str, onnx.TensorProto] = {}
        self._end = 0

    def place(self, name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
        """Store an array, unless its name is stored already, and return the reference to it."""
        if name not in self._placed:
            self._placed[name] = self._append(name, values)
        return self._placed[name]

    def _append(self, name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
        if values.nbytes < INLINE_BYTES:
            return initializer(name, values)
        offset = -(-self._end // ALIGNMENT) * ALIGNMENT if values.nbytes >= ALIGNMENT else self._end
        data = np.ascontiguousarray(values).tobytes()
        with self._path.open("r+b") as file:
            file.seek(offset)
            file.write(data)
        self._end = offset + len(data)
        return _reference(name, values, offset)


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


def file_entries(paths: Iterable[Path]) -> dict[str, FileEntry]:
    """What the manifest says of files."""
    return {
        path.name: FileEntry(sha256=sha256_of(path), size_bytes=path.stat().st_size)
        for path in sorted(paths)
    }


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
