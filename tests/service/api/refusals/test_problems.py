"""Every error of the service has its status, its code and one shape."""

import pickle

import pytest

from service.api.refusals.problems import INTERNAL_ERROR
from service.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    NotReadyError,
    OverloadedError,
    PayloadTooLargeError,
    ServiceError,
    ShuttingDownError,
    TextTooLongError,
    TranslationFailedError,
    UnsupportedLanguageError,
)
from tests.service.api.fakes import UpperCaser, app_with, ask, parts_of

BASE = {"q": "my secret text", "source": "en", "target": "de"}


def _failing(error: Exception) -> UpperCaser:
    async def fail() -> None:
        raise error

    return UpperCaser(before=fail)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequestError("m"), 400, "invalid_request"),
        (UnsupportedLanguageError("m"), 400, "unsupported_language"),
        (TextTooLongError("m"), 400, "text_too_long"),
        (PayloadTooLargeError("m"), 413, "payload_too_large"),
        (OverloadedError("m", retry_after_s=1), 429, "overloaded"),
        (ServiceError("m"), 500, "internal"),
        (TranslationFailedError("m"), 500, "translation_failed"),
        (ShuttingDownError("m"), 503, "shutting_down"),
        (NotReadyError("m"), 503, "not_ready"),
        (DeadlineExceededError("m"), 504, "deadline_exceeded"),
    ],
)
@pytest.mark.parametrize("path", ["/translate", "/attention"])
def test_each_error_has_its_status_and_code(
    path: str, error: ServiceError, status: int, code: str
) -> None:
    reply = ask(app_with(_failing(error)), "POST", path, json=BASE)
    assert (reply.status_code, reply.json()) == (status, {"error": "m", "code": code})


@pytest.mark.parametrize("kind", [OverloadedError, NotReadyError])
@pytest.mark.parametrize(("wait_s", "header"), [(1.0, "1"), (2.1, "3"), (60.0, "60")])
def test_refusals_say_in_whole_seconds_when_to_come_back(
    kind: type[OverloadedError] | type[NotReadyError], wait_s: float, header: str
) -> None:
    error = kind("Slowdown: full", retry_after_s=wait_s)
    for sent in (error, pickle.loads(pickle.dumps(error))):
        reply = ask(app_with(_failing(sent)), "POST", "/translate", json=BASE)
        assert reply.headers["Retry-After"] == header


def test_a_model_whose_next_start_is_unknown_gives_no_time() -> None:
    reply = ask(app_with(_failing(NotReadyError("m"))), "POST", "/translate", json=BASE)
    assert "Retry-After" not in reply.headers


def test_a_bug_is_a_500_that_tells_nothing_and_is_counted() -> None:
    app = app_with(_failing(ZeroDivisionError("my secret text")))
    reply = ask(app, "POST", "/translate", json=BASE, headers={"X-Request-Id": "r-1"})
    assert reply.status_code == 500
    assert reply.json() == {"error": INTERNAL_ERROR, "code": "internal"}
    assert reply.headers["X-Request-Id"] == "r-1"
    counted = 'pellucid_requests_total{dialect="native",route="/translate",status="500"} 1.0'
    assert counted in parts_of(app).metrics.exposition().decode()
