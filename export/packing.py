"""Graphs and weights into files, and a finished folder under its name."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from bundle.manifest import MANIFEST_NAME, FileEntry
from bundle.reader import sha256_of
from bundle.tensors import WEIGHTS_NAME
from export.errors import ExportError
from export.graphs.builder import initializer

PAGE_BYTES = 4096
"""onnxruntime maps pages; offsets that are no multiple of it are copied instead."""
ALIGNMENT = 64
"""Of what is smaller than a page."""
INLINE_BYTES = 256
"""Smaller tensors stay in the graph: shape arithmetic must be known when it is optimised."""


class WeightFile:
    """Appends arrays to `weights.bin`; equal bytes are stored once, whatever their names."""

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


def file_entries(paths: Iterable[Path]) -> dict[str, FileEntry]:
    """What the manifest says of files."""
    return {
        path.name: FileEntry(sha256=sha256_of(path), size_bytes=path.stat().st_size)
        for path in sorted(paths)
    }


def check_replaceable(out: Path, *, force: bool) -> None:
    """Refuse to write where something else would be lost.

    Raises:
        ExportError: `out` exists, and either `force` is not given or it is no bundle.
    """
    if not out.exists():
        return
    if not force:
        raise ExportError(f"{out} exists: use --force to replace it, or name another")
    if not (out / MANIFEST_NAME).is_file():
        raise ExportError(f"{out} is no bundle, so it is not replaced: name another folder")


def publish(staged: Path, out: Path) -> None:
    """Give a finished bundle its name; what had it before moves to where `staged` was."""
    old = staged.with_name("replaced")
    if out.exists():
        out.rename(old)
    staged.rename(out)


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
