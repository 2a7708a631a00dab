"""Logs are one JSON object a line, without texts."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from service.observability.logs import REQUEST_ID, TRACE_ID, configure_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    written = io.StringIO()
    configure_logging("info", written)
    yield written
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)


def _events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_event_and_its_fields_are_one_line(stream: io.StringIO) -> None:
    logging.getLogger("somewhere").info("model\nloaded", extra={"model": "en-de", "seconds": 1.5})
    (event,) = _events(stream)
    assert event.pop("time").endswith("+00:00")
    assert event == {
        "level": "info",
        "logger": "somewhere",
        "event": "model\nloaded",
        "model": "en-de",
        "seconds": 1.5,
    }


def test_request_id_comes_along(stream: io.StringIO) -> None:
    token = REQUEST_ID.set("abc")
    logging.getLogger("somewhere").warning("inside")
    REQUEST_ID.reset(token)
    logging.getLogger("somewhere").warning("outside")
    inside, outside = _events(stream)
    assert inside["request_id"] == "abc"
    assert "request_id" not in outside


def test_trace_id_stands_beside_the_request_id(stream: io.StringIO) -> None:
    tokens = REQUEST_ID.set("abc"), TRACE_ID.set("4bf92f35")
    logging.getLogger("somewhere").info("inside")
    REQUEST_ID.reset(tokens[0])
    TRACE_ID.reset(tokens[1])
    logging.getLogger("somewhere").info("outside")
    inside, outside = _events(stream)
    assert (inside["request_id"], inside["trace_id"]) == ("abc", "4bf92f35")
    assert "trace_id" not in outside


def test_exception_is_logged_by_type_and_place_but_not_by_message(stream: io.StringIO) -> None:
    try:
        raise ValueError("my secret text")
    except ValueError:
        logging.getLogger("somewhere").exception("crashed")
    (event,) = _events(stream)
    assert event["error"] == "ValueError"
    assert "test_logs.py" in event["traceback"][0]
    assert "secret" not in stream.getvalue()


def test_events_below_the_level_are_left_out(stream: io.StringIO) -> None:
    logging.getLogger("somewhere").debug("detail")
    assert stream.getvalue() == ""


def test_values_that_json_cannot_hold_are_written_as_text(stream: io.StringIO) -> None:
    logging.getLogger("somewhere").info("event", extra={"kinds": {"a"}})
    assert _events(stream)[0]["kinds"] == "{'a'}"
