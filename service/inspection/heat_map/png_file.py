"""Writes a PNG from bands of pixels, so that no picture is ever in memory as a whole."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_BITS, _RGB = 8, 2
_UP = 2
"""Filter of every row: its difference to the row above, which is 0 within a cell of a map."""
_LEVEL = 6


class PngFile:
    """The file of a picture, from top to bottom."""

    def __init__(self, width: int, height: int) -> None:
        header = _HEADER.pack(width, height, _BITS, _RGB, 0, 0, 0)
        self._parts = [_SIGNATURE, _chunk(b"IHDR", header)]
        self._above: NDArray[np.uint8] = np.zeros((1, 3 * width), dtype=np.uint8)
        self._compressor = zlib.compressobj(_LEVEL)

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Add the next rows.

        Args:
            pixels: Red, green and blue, uint8 [rows, width, 3].
        """
        rows = pixels.reshape(len(pixels), -1)
        filtered = np.empty((len(rows), rows.shape[1] + 1), dtype=np.uint8)
        filtered[:, 0] = _UP
        filtered[0, 1:] = rows[0] - self._above[0]
        np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
        self._above = rows[-1:].copy()
        self._write(self._compressor.compress(filtered.data))

    def finish(self) -> bytes:
        """The bytes of the file, after the last row."""
        self._write(self._compressor.flush())
        return b"".join([*self._parts, _chunk(b"IEND", b"")])

    def _write(self, compressed: bytes) -> None:
        if compressed:
            self._parts.append(_chunk(b"IDAT", compressed))


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
