"""Reads `model.bin` of CTranslate2: variables by name, integers divided by their scales."""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.network import Float32

Array = NDArray[np.generic]
VERSIONS = range(2, 7)
_DTYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
"""Types by their number in the file, since version 4."""
_BY_WIDTH = {4: "float32", 2: "int16", 1: "int8"}
"""Types by the size of an item, before version 4."""
_GLOBAL_INT16_SCALE = np.float32(1000)
"""Scale of integers in old files, which do not store it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """Content of a file."""

    path: Path
    version: int
    """Version of the format."""
    spec: str
    """Name of the model's class."""
    variables: Mapping[str, Array]
    """Arrays as they are stored, but bfloat16, which NumPy lacks, as float32. An alias is one more
    name of the same array."""

    def attribute(self, name: str, default: Any) -> Any:  # noqa: ANN401
        """A variable that is a number or a text."""
        found = self.variables.get(name)
        if found is None:
            return default
        return found.item() if found.ndim == 0 else found.tobytes().decode("utf-8", "replace")

    def tensors(self) -> dict[str, Float32]:
        """Weights in float32.

        Raises:
            ExportError: The scale of integers is missing.
        """
        found = {
            name: self._as_float32(name, array)
            for name, array in self.variables.items()
            if array.ndim and (array.dtype.kind == "f" or name.endswith("/weight"))
        }
        return {n: a for n, a in found.items() if not n.endswith("/weight_scale")}

    def _as_float32(self, name: str, array: Array) -> Float32:
        numbers = array.astype(np.float32)
        if array.dtype.kind == "f":
            return numbers
        scale = self.variables.get(f"{name}_scale")
        if scale is None and array.dtype == np.int16:
            return numbers / _GLOBAL_INT16_SCALE
        if scale is None:
            raise ExportError(f"{self.path}: {name} holds integers, and {name}_scale is missing")
        # One scale for every row, or one for all.
        return numbers / scale.astype(np.float32).reshape(-1, *[1] * (array.ndim - 1))


def read_model_file(path: Path) -> StoredModel:
    """Read a file.

    Raises:
        ExportError: It is of another kind or version, or cut short.
    """
    try:
        cursor = _Cursor(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}") from error
    version = cursor.number("I")
    if version not in VERSIONS:
        raise ExportError(
            f"{path} is no model of CTranslate2 in a version from {VERSIONS[0]} to {VERSIONS[-1]}, "
            f"but begins with {version}"
        )
    spec = cursor.text()
    cursor.number("I")  # the revision, which the variables imply
    variables = dict(cursor.variables(version))
    for alias, name in cursor.aliases(version):
        for end in ("", "_scale"):
            if name + end in variables:
                variables.setdefault(alias + end, variables[name + end])
    return StoredModel(path=path, version=version, spec=spec, variables=variables)


class _Cursor:
    """Reads a file from its beginning to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = path.read_bytes()
        self._offset = 0

    def number(self, code: str) -> int:
        """An unsigned integer; `code` is its type in `struct`."""
        size = struct.calcsize(code)
        return int(struct.unpack(f"<{code}", self._take(size))[0])

    def text(self) -> str:
        """A string, stored with its length and a zero at its end."""
        return self._take(self.number("H")).rstrip(b"\0").decode("utf-8", "replace")

    def variables(self, version: int) -> Iterator[tuple[str, Array]]:
        """All variables with their names."""
        for _ in range(self.number("I")):
            name = self.text()
            shape = [self.number("I") for _ in range(self.number("B"))]
            kind = self.number("B")
            dtype = self._dtype(name, kind, version)
            size = self.number("I") * (1 if version >= 4 else kind)
            yield name, self._array(name, shape, dtype, self._take(size))

    def aliases(self, version: int) -> Iterator[tuple[str, str]]:
        """Pairs of an alias and the variable's own name."""
        for _ in range(self.number("I") if version >= 3 else 0):
            yield self.text(), self.text()

    def _take(self, size: int) -> bytes:
        end = self._offset + size
        if end > len(self._content):
            raise ExportError(f"{self._path} cannot be read: it is cut short, or no model at all")
        taken = self._content[self._offset : end]
        self._offset = end
        return taken

    def _dtype(self, name: str, kind: int, version: int) -> str:
        known = dict(enumerate(_DTYPES)) if version >= 4 else _BY_WIDTH
        if kind not in known:
            raise ExportError(f"{self._path}: {name} is of an unknown type, {kind}")
        return known[kind]

    def _array(self, name: str, shape: list[int], dtype: str, content: bytes) -> Array:
        stored = np.dtype("<u2" if dtype == "bfloat16" else dtype)
        if math.prod(shape) * stored.itemsize != len(content):
            raise ExportError(f"{self._path}: {name} is not as long as it says")
        values: Array = np.frombuffer(content, dtype=stored).reshape(shape)
        if dtype == "bfloat16":  # the upper half of a float32
            return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return values
