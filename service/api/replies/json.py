"""Replies as JSON: from models, from values that have a model's attributes, and from arrays."""

from functools import cache
from typing import Any

import numpy as np
from fastapi import Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from service.scheduling.slices import breathe
from service.translation.values import StageTimes

Json = dict[str, Any]

_DECIMALS = 7
"""Enough for a float32 probability; more digits would double the size of attention maps."""
_MAX_NUMBERS_AT_ONCE = 4096
"""A fifth of a millisecond."""
_STAGES = ("tokenize", "queue", "encode", "decode", "detokenize")


class Reply(BaseModel):
    """A model of a reply whose attribute docstrings become descriptions in /openapi.json."""

    model_config = ConfigDict(use_attribute_docstrings=True)


def json_response(content: object, times: StageTimes | None = None) -> Response:
    """A successful reply; `times` become its Server-Timing header."""
    headers = {} if times is None else {"Server-Timing": _server_timing(times)}
    return Response(json_bytes(content), media_type="application/json", headers=headers)


def content_of(reply: type[BaseModel], value: object, **renamed: str) -> Json:
    """The fields of `reply`, read from `value` and not validated: that would triple the time.

    Args:
        reply: The model that declares the fields.
        value: Has an attribute for each required field; other fields are left out if None.
        renamed: Attributes of `value` whose names differ, by field.
    """
    content: Json = {}
    for name, is_required in _fields(reply):
        attribute = renamed.get(name, name)
        if is_required:
            content[name] = getattr(value, attribute)
        elif (found := getattr(value, attribute, None)) is not None:
            content[name] = found
    return content


def json_bytes(content: object) -> bytes:
    """Like `to_json`, but also writes arrays, and leaves out fields of models that are None.

    The GIL is held for a few rows at a time, and in a thread for texts others work in between: a
    million numbers at once would block all other threads for a tenth of a second.
    """
    if isinstance(content, BaseModel):
        return json_bytes(content.model_dump(exclude_none=True))
    if isinstance(content, dict):
        items = (to_json(name) + b":" + json_bytes(value) for name, value in content.items())
        return b"{" + b",".join(items) + b"}"
    if isinstance(content, list) and any(isinstance(c, dict | list | BaseModel) for c in content):
        return b"[" + b",".join(map(json_bytes, content)) + b"]"
    if isinstance(content, np.ndarray):
        return _array_bytes(content)
    return to_json(content)


@cache
def _fields(reply: type[BaseModel]) -> tuple[tuple[str, bool], ...]:
    """Names of the fields, and whether each is required."""
    return tuple((name, field.is_required()) for name, field in reply.model_fields.items())


def _array_bytes(array: NDArray[np.float32]) -> bytes:
    if array.ndim > 2:
        return b"[" + b",".join(map(_array_bytes, array)) + b"]"
    if array.ndim == 2 and len(array) > 1 and array.size > _MAX_NUMBERS_AT_ONCE:
        num_rows = max(1, _MAX_NUMBERS_AT_ONCE // array.shape[1])
        parts = (array[first : first + num_rows] for first in range(0, len(array), num_rows))
        return b"[" + b",".join(_array_bytes(rows)[1:-1] for rows in parts) + b"]"
    breathe()
    # float64, because the rounded float32 would be printed with all its digits.
    rounded: list[Any] = np.round(array.astype(np.float64), _DECIMALS).tolist()
    return to_json(rounded)


def _server_timing(times: StageTimes) -> str:
    return ", ".join(f"{stage};dur={1000 * getattr(times, stage):.2f}" for stage in _STAGES)
