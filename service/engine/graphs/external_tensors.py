"""Reads which tensors an ONNX graph keeps in other files; knows protobuf's wire format alone.

The field numbers are those of onnx.proto: the package `onnx` is no part of the runtime.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OPERATOR = 1, 4
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_EXTERNAL = 1, 2, 8, 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalTensor:
    """A tensor of a graph whose bytes are in another file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    offset: int
    size_bytes: int
    is_table: bool
    """Whether it is read by `Gather` alone, a few rows at a time."""


def external_tensors(graph: bytes) -> list[ExternalTensor]:
    """The tensors of a serialised model that are in other files.

    Raises:
        ValueError: The bytes are no model, or a tensor has a type that NumPy lacks.
    """
    content = memoryview(graph)
    try:
        return [tensor for body in _messages(content, _MODEL_GRAPH) for tensor in _tensors(body)]
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no model that can be read: {error!r}") from error


def _tensors(graph: memoryview) -> Iterator[ExternalTensor]:
    tables = _names_of_tables(graph)
    for initializer in _messages(graph, _GRAPH_INITIALIZER):
        tensor = _tensor(initializer, tables)
        if tensor is not None:
            yield tensor


def _names_of_tables(graph: memoryview) -> set[str]:
    """What `Gather` takes rows of, and no other operator reads."""
    tables: set[str] = set()
    others: set[str] = set()
    for node in _messages(graph, _GRAPH_NODE):
        fields = list(_fields(node))
        inputs = [_text(value) for number, value in fields if number == _NODE_INPUT]
        is_gather = any(n == _NODE_OPERATOR and _text(value) == "Gather" for n, value in fields)
        tables.update(inputs[:1] if is_gather else ())
        others.update(inputs[1:] if is_gather else inputs)
    return tables - others


def _tensor(content: memoryview, tables: Collection[str]) -> ExternalTensor | None:
    fields = list(_fields(content))
    where = dict(_entry(value) for number, value in fields if number == _TENSOR_EXTERNAL)
    if not where:
        return None
    by_number = dict(fields)
    name = _text(by_number[_TENSOR_NAME])
    return ExternalTensor(
        name=name,
        dtype=_DTYPES[_number(by_number[_TENSOR_TYPE])],
        shape=tuple(
            dim for number, value in fields if number == _TENSOR_DIMS for dim in _dims(value)
        ),
        file=where["location"],
        offset=int(where.get("offset", "0")),
        size_bytes=int(where["length"]),
        is_table=name in tables,
    )


def _entry(content: int | memoryview) -> tuple[str, str]:
    by_number = dict(_fields(_bytes(content)))
    return _text(by_number[_ENTRY_KEY]), _text(by_number[_ENTRY_VALUE])


def _messages(content: memoryview, wanted: int) -> Iterator[memoryview]:
    return (_bytes(value) for number, value in _fields(content) if number == wanted)


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or the bytes of anything else."""
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = _varint(content, place)
            yield number, value
            continue
        if kind == _LENGTH:
            size, place = _varint(content, place)
        else:
            size = _FIXED_BYTES[kind]
        if place + size > len(content):
            raise IndexError("it ends within a field")
        yield number, content[place : place + size]
        place += size


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the least first, and the place behind it."""
    value = shift = 0
    while True:
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _dims(value: int | memoryview) -> Iterator[int]:
    """One dimension, or several that are packed."""
    if isinstance(value, int):
        yield value
        return
    place = 0
    while place < len(value):
        dim, place = _varint(value, place)
        yield dim


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise KeyError("a number where bytes belong")
    return value


def _number(value: int | memoryview) -> int:
    if isinstance(value, int):
        return value
    raise KeyError("bytes where a number belongs")


def _text(value: int | memoryview) -> str:
    return str(_bytes(value), "utf-8")
