"""Reads Marian's binary format, version 1, in which every size is checked before it is believed."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError
from export.network import Float32
from export.quantization import StoredMatrix

MAX_BYTES = 2**31
"""Largest file, unpacked; the largest of Firefox's models have 60 MB."""
FLOAT32, INT8, INTGEMM8 = 0x404, 0x101, 0x4101
_VERSION = 1
_MAX_RANK = 8
_ITEM = struct.Struct("<QQQQ")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarianItem:
    """One tensor of a file."""

    kind: int
    values: np.ndarray[Any, np.dtype[Any]]
    """Values as stored: float32 or int8, in the shape of the header."""
    multiplier: float = 1.0
    """What weights of intgemm8 were multiplied by before they were rounded."""

    @property
    def weights(self) -> Float32:
        """The values as weights, in the shape of the header."""
        return (self.values / np.float32(self.multiplier)).astype(np.float32)

    def stored(self, *, is_transposed: bool) -> StoredMatrix:
        """The int8 matrix, [out, in].

        Args:
            is_transposed: The data are the transposed of what the header's shape says, as of every
                intgemm8 matrix but embeddings.
        """
        values = self.values
        if is_transposed:
            values = values.reshape(values.shape[::-1])
        return StoredMatrix(values=values, multiplier=self.multiplier)


def read_unpacked(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzipped.

    Raises:
        ExportError: It cannot be read, is packed in another way, or is too large.
    """
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            with gzip.open(path) as file:
                content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ExportError(f"{path} cannot be read, it may be cut short: {error}") from error
    if content.startswith(_ZSTD):
        raise ExportError(f"{path} is packed with Zstandard: unpack it with zstd -d")
    if len(content) > MAX_BYTES:
        raise ExportError(f"{path} is larger than {MAX_BYTES >> 20} MB, so it is not read")
    return content


def read_marian_binary(path: Path) -> dict[str, MarianItem]:
    """Every tensor of a file by its name.

    Raises:
        ExportError: It is no such file, is cut short, or has tensors of another kind.
    """
    return _Parser(path, read_unpacked(path)).items()


@dataclass(frozen=True, slots=True)
class _Header:
    name_length: int
    kind: int
    rank: int
    data_length: int


class _Parser:
    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        self._position = 0

    def items(self) -> dict[str, MarianItem]:
        headers = self._headers()
        names = [self._name(header) for header in headers]
        shapes = [self._shape(h, name) for h, name in zip(headers, names, strict=True)]
        self._take(self._number("the padding"), "the padding before the data")
        found: dict[str, MarianItem] = {}
        for header, name, shape in zip(headers, names, shapes, strict=True):
            if name in found:
                raise self._wrong(f"{name} is in it twice")
            found[name] = self._item(header, name, shape)
        if self._position != len(self._content):
            rest = len(self._content) - self._position
            raise self._wrong(f"{rest} bytes follow that its header does not speak of")
        return found

    def _headers(self) -> list[_Header]:
        if len(self._content) < 16 or self._number("the version") != _VERSION:
            raise ExportError(
                f"{self._path} is no model of Marian in its binary format, version {_VERSION}"
            )
        count = self._number("the number of tensors")
        room = (len(self._content) - self._position) // _ITEM.size
        if not 0 < count <= room:
            raise self._wrong(f"its header speaks of {count} tensors, and has room for {room}")
        data = self._take(count * _ITEM.size, "the header")
        return [_Header(*fields) for fields in _ITEM.iter_unpack(data)]

    def _name(self, header: _Header) -> str:
        data = self._take(header.name_length, "the names")
        if not data.endswith(b"\0"):
            raise self._wrong("a tensor's name has no end")
        try:
            return data[:-1].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._wrong("a tensor's name is no text") from error

    def _shape(self, header: _Header, name: str) -> tuple[int, ...]:
        if not 0 < header.rank <= _MAX_RANK:
            raise self._wrong(f"{name} has {header.rank} axes")
        data = self._take(4 * header.rank, "the shapes")
        shape = struct.unpack(f"<{header.rank}i", data)
        if min(shape) < 1:
            raise self._wrong(f"{name} has the shape {'x'.join(map(str, shape))}")
        return shape

    def _item(self, header: _Header, name: str, shape: tuple[int, ...]) -> MarianItem:
        count = math.prod(shape)
        self._check_kind(header.kind, name)
        size = 4 * count if header.kind == FLOAT32 else count
        needed = size + (4 if header.kind == INTGEMM8 else 0)
        data = self._take(header.data_length, f"the data of {name}")
        if len(data) < needed:
            raise self._wrong(f"{name} takes {needed} bytes, its header gives it {len(data)}")
        dtype = "<f4" if header.kind == FLOAT32 else np.int8
        values = np.frombuffer(data, dtype, count).reshape(shape)
        multiplier = struct.unpack_from("<f", data, size)[0] if header.kind == INTGEMM8 else 1.0
        if not (math.isfinite(multiplier) and multiplier > 0):
            raise self._wrong(f"{name} has the multiplier {multiplier}")
        return MarianItem(kind=header.kind, values=values, multiplier=multiplier)

    def _check_kind(self, kind: int, name: str) -> None:
        if kind in (FLOAT32, INT8, INTGEMM8):
            return
        raise ExportError(
            f"{self._path}: {name} is of the type {kind:#x}, which may be packed for one kind of "
            "processor: take the model in intgemm8 (its name has intgemm, but no ssse3 or avx) or "
            "in float32"
        )

    def _number(self, what: str) -> int:
        return int.from_bytes(self._take(8, what), "little")

    def _take(self, size: int, what: str) -> bytes:
        left = len(self._content) - self._position
        if size > left:
            raise self._wrong(f"{what} would take {size} bytes, and {left} are left")
        self._position += size
        return self._content[self._position - size : self._position]

    def _wrong(self, reason: str) -> ExportError:
        return ExportError(
            f"{self._path} cannot be read, it may be cut short or no model of Marian: {reason}"
        )


def float_tensors(items: Mapping[str, MarianItem]) -> Iterator[tuple[str, Float32]]:
    """Weights by name in the shapes of the headers, those of intgemm8 turned back and divided."""
    for name, item in items.items():
        if item.kind == INTGEMM8 and "Wemb" not in name:
            yield name, np.ascontiguousarray(item.stored(is_transposed=True).weights.T)
        elif item.kind != INT8:
            yield name, item.weights
