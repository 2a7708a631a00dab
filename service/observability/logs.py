"""Logs: event and fields, a line each; JSON unless a terminal reads. Never a text, never a key."""

import json
import logging
import sys
import traceback
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request of the current task."""
TRACE_ID: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""Id of the trace of that request, if it is traced."""

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@dataclass(slots=True, kw_only=True)
class RequestStats:
    """Counts of a request, shared by its tasks and logged at its end."""

    sentences: int = 0
    source_tokens: int = 0
    target_tokens: int = 0


REQUEST_STATS: ContextVar[RequestStats | None] = ContextVar("request_stats", default=None)
"""Statistics of the request of the current task."""


_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
"""`json.dumps` would make one for each line."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; fields of `extra` are on the top level."""

    def format(self, record: logging.LogRecord) -> str:
        """The JSON, without line break."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        return _JSON.encode(fields | _fields(record))


class PlainFormatter(logging.Formatter):
    """Formats a record for a terminal: local time, level, event, and `name=value` of each field."""

    def format(self, record: logging.LogRecord) -> str:
        """The record on one line; frames of a traceback are on lines of their own."""
        fields = _fields(record)
        frames = fields.pop("traceback", [])
        words = [f"{name}={_word(value)}" for name, value in fields.items()]
        time = datetime.fromtimestamp(record.created).astimezone()
        event = _word(record.getMessage(), separators="")
        head = f"{time:%H:%M:%S} {record.levelname.lower():<7} {event}"
        assert isinstance(frames, list)
        return "\n    ".join((" ".join((head, *words)), *map(str, frames)))


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Ids of the request, fields of `extra`, and type and traceback of an error."""
    ids = {"request_id": REQUEST_ID.get(), "trace_id": TRACE_ID.get()}
    fields: dict[str, object] = {name: value for name, value in ids.items() if value is not None}
    fields |= {k: v for k, v in vars(record).items() if k not in _STANDARD_FIELDS}
    if record.exc_info and record.exc_info[0] is not None:
        fields |= _exception_fields(record.exc_info[1])
    return fields


def _word(value: object, separators: str = ' "=') -> str:
    """A value as it is if it is printable and has no separator, else in JSON's quotes."""
    text = str(value)
    is_plain = text.isprintable() and not any(character in text for character in separators)
    return text if is_plain and text else json.dumps(text)


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Log events from `level` up to `stream`: as plain lines if that is a terminal, else as JSON.

    Args:
        level: As in `info`.
        stream: Default: standard output.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(PlainFormatter() if handler.stream.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    # Costly and not shown: see "Optimization" in the logging HOWTO of Python.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def count_sentences(lengths: Iterable[tuple[int, int]]) -> None:
    """Add sentences to the statistics of the current request, if there is one.

    Args:
        lengths: Source and target tokens of each sentence.
    """
    stats = REQUEST_STATS.get()
    if stats is None:
        return
    for source_tokens, target_tokens in lengths:
        stats.sentences += 1
        stats.source_tokens += source_tokens
        stats.target_tokens += target_tokens


def _exception_fields(error: BaseException | None) -> dict[str, object]:
    """Type and traceback of an error, without its message, which may quote the text."""
    if error is None:
        return {}
    # Not `extract_tb`: it reads the source files, for a tenth of a second at the first error.
    frames = [
        f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return {"error": type(error).__name__, "traceback": frames}
