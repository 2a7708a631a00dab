"""Logs: one JSON object a line, an event's name and its fields. Never a text, never a key."""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that the current task works for."""
TRACE_ID: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""Id of the trace that it belongs to, if its client or we have begun one."""

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Renders a record as one line of JSON; fields given by `extra` stand beside the event."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, without line break."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        ids = {"request_id": REQUEST_ID.get(), "trace_id": TRACE_ID.get()}
        fields |= {name: value for name, value in ids.items() if value is not None}
        fields |= {k: v for k, v in vars(record).items() if k not in _STANDARD_FIELDS}
        if record.exc_info and record.exc_info[0] is not None:
            fields |= _exception_fields(record.exc_info[1])
        return json.dumps(fields, ensure_ascii=False, default=str)


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every event of at least `level` to `stream`, by default standard output."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)


def _exception_fields(error: BaseException | None) -> dict[str, object]:
    """Type and place of an error, not its message: that may quote the text."""
    if error is None:
        return {}
    frames = [
        f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)
    ]
    return {"error": type(error).__name__, "traceback": frames}
