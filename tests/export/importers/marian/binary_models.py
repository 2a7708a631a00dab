"""Writes Marian's binary format, version 1, which Firefox's models have."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOAT32, INT8, INTGEMM8 = 0x404, 0x101, 0x4101
ALIGNMENT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One tensor of a file."""

    name: str
    kind: int
    shape: tuple[int, ...]
    data: bytes


def float_item(name: str, values: NDArray[np.floating]) -> Item:
    """A tensor of float32."""
    array = np.ascontiguousarray(values, dtype="<f4")
    return Item(name=name, kind=FLOAT32, shape=array.shape, data=array.tobytes())


def text_item(name: str, text: str) -> Item:
    """Text, NUL-terminated, in bytes."""
    data = text.encode() + b"\0"
    return Item(name=name, kind=INT8, shape=(len(data),), data=data)


def intgemm8_item(
    name: str, stored: NDArray[np.int8], shape: tuple[int, ...], multiplier: float
) -> Item:
    """An int8 matrix as it is stored, and what its weights were multiplied by."""
    data = stored.astype(np.int8).tobytes() + struct.pack("<f", multiplier)
    return Item(name=name, kind=INTGEMM8, shape=shape, data=data)


def marian_binary(items: Sequence[Item]) -> bytes:
    """The file; data are padded to 256 bytes, as Marian pads them."""
    padded = [item.data + bytes(-len(item.data) % ALIGNMENT) for item in items]
    names = [item.name.encode() + b"\0" for item in items]
    head = struct.pack("<QQ", 1, len(items))
    for item, name, data in zip(items, names, padded, strict=True):
        head += struct.pack("<QQQQ", len(name), item.kind, len(item.shape), len(data))
    head += b"".join(names)
    head += b"".join(struct.pack(f"<{len(item.shape)}i", *item.shape) for item in items)
    offset = -(len(head) + 8) % ALIGNMENT
    return head + struct.pack("<Q", offset) + bytes(offset) + b"".join(padded)
