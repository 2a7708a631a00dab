"""Failures to accept are a line a second; everything else is reported as ever."""

import asyncio
import errno
import logging
import os

import pytest

from service.server.connections.accept_errors import AcceptErrors
from tests.service.tiny_models import FakeClock

ACCEPT = "socket.accept() out of system resource"


def report(handler: AcceptErrors, message: str, error: Exception) -> None:
    loop = asyncio.new_event_loop()
    handler(loop, {"message": message, "exception": error})
    loop.close()


def exhausted() -> OSError:
    return OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_failures_of_a_second_are_one_line_without_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    handler = AcceptErrors(clock)
    for _ in range(1000):
        report(handler, ACCEPT, exhausted())
    clock.now_s += 1.0
    report(handler, ACCEPT, exhausted())
    first, second = caplog.records
    assert (first.getMessage(), first.levelno) == ("cannot accept connections", logging.ERROR)
    assert (vars(first)["reason"], vars(first)["attempts"]) == ("Too many open files", 1)
    assert (vars(second)["attempts"], second.exc_info) == (1000, None)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (ACCEPT, OSError(errno.EIO, "other")),
        (ACCEPT, ValueError("other")),
        ("Task exception was never retrieved", exhausted()),
    ],
)
def test_other_exceptions_are_left_to_asyncio(
    caplog: pytest.LogCaptureFixture, message: str, error: Exception
) -> None:
    report(AcceptErrors(FakeClock()), message, error)
    (record,) = caplog.records
    assert record.name == "asyncio"
    assert record.getMessage().startswith(message)
