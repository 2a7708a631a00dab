"""Frames on the connection between the front and an engine; the standard library alone.

A frame is

    uint32 little-endian: bytes of the body        body: `marshal` of (kind, *fields)

An engine that cannot import NumPy can still say so: it needs no more than this module.
"""

import marshal
import struct
from typing import Any

HEADER = struct.Struct("<I")
MARSHAL_VERSION = 4
REFUSED = "refused"
"""Kind of the message with which an engine says why it cannot start."""


def frame(values: tuple[Any, ...]) -> bytes:
    """The frame of a message's kind and fields."""
    body = marshal.dumps(values, MARSHAL_VERSION)
    return HEADER.pack(len(body)) + body
