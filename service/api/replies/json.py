"""Contents as JSON, the numbers of arrays among them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

_DECIMALS = 7
"""Beyond this a float32 probability has nothing more to say, and the reply is twice as long."""


def json_bytes(content: object) -> bytes:
    """Like `to_json`, but with arrays, matrix by matrix.

    Python's lock is held for one matrix at a time: a million numbers in one go would keep
    everybody else waiting for a tenth of a second.
    """
    if isinstance(content, dict):
        items = (to_json(name) + b":" + json_bytes(value) for name, value in content.items())
        return b"{" + b",".join(items) + b"}"
    if isinstance(content, list) and any(isinstance(item, (dict, list)) for item in content):
        return b"[" + b",".join(map(json_bytes, content)) + b"]"
    if isinstance(content, np.ndarray):
        return _array_bytes(content)
    return to_json(content)


def _array_bytes(array: NDArray[np.float32]) -> bytes:
    if array.ndim > 2:
        return b"[" + b",".join(map(_array_bytes, array)) + b"]"
    # In float64, else the rounded numbers would be printed with the digits of their float32.
    rounded: list[Any] = np.round(array.astype(np.float64), _DECIMALS).tolist()
    return to_json(rounded)
