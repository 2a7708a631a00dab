"""Logs are one JSON object a line, without texts."""

import io
import json
import logging
import re
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


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    written = _Terminal()
    configure_logging("info", written)
    yield written
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)


def test_a_terminal_gets_plain_lines(terminal: io.StringIO) -> None:
    logging.getLogger("somewhere").info("model loaded", extra={"model": "en-de", "seconds": 1.5})
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d info    model loaded model=en-de seconds=1.5\n", terminal.getvalue()
    )


def test_a_value_cannot_control_a_terminal_or_forge_a_line(terminal: io.StringIO) -> None:
    fields = {"path": "/\x1b[2J\n12:00:00 error   forged", "empty": "", "note": 'a "b"=c'}
    logging.getLogger("somewhere").warning("a\nb", extra=fields)
    (line,) = terminal.getvalue().splitlines()
    assert "\x1b" not in line
    assert line.endswith(
        r'''"a\nb" path="/\u001b[2J\n12:00:00 error   forged" empty="" note="a \"b\"=c"'''
    )


def test_a_terminal_gets_a_frame_a_line_without_the_message(terminal: io.StringIO) -> None:
    try:
        raise ValueError("the text of a client")
    except ValueError:
        logging.getLogger("somewhere").exception("failed")
    first, *frames = terminal.getvalue().splitlines()
    assert first.endswith("error   failed error=ValueError")
    assert frames
    assert all(frame.startswith("    ") for frame in frames)
    assert "client" not in terminal.getvalue()
