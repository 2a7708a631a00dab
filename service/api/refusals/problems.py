"""Turns errors into replies: `{"error": text, "code": code}`, or in the dialect of the path."""

import logging
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from service.errors import NotReadyError, OverloadedError, ServiceError

CLIENT_CLOSED_REQUEST = 499
"""Counted but never sent: the client left before its reply."""
INTERNAL_ERROR = "the server failed on this request; its log has the reason under the request id"
SHUTTING_DOWN = "the service is shutting down: send the request elsewhere"
DEEPL_PREFIXES = ("/v2", "/v3", "/deepl")
QUOTA_EXCEEDED = 456
"""DeepL's own status for a used-up quota."""

MAX_ERROR_CHARS = 600
"""Of the text of an error, which may quote what was sent: at most 4 kB as JSON."""
_DEEPL_BY_CODE = {"key_required": 403, "quota_exceeded": QUOTA_EXCEEDED}
_DEEPL_BY_STATUS = {
    401: 403,
    405: 400,
    408: 503,
    409: 429,
    413: 400,
    421: 400,
    422: 400,
    500: 503,
    504: 503,
}
"""DeepL's clients know 400, 403, 404, 429, 456 and 503; they retry after 429 and 503."""
PLAIN = "plain"
"""First part of the paths whose errors are plain text."""
_GOOGLE_STATUSES = {
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_log = logging.getLogger(__name__)


class DeeplProblem(BaseModel):
    """Body of every reply of this dialect that is not a success."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str
    """What is wrong, and what to do."""


def is_deepl(path: str) -> bool:
    """Whether a path belongs to DeepL's dialect, even if it has no route."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in DEEPL_PREFIXES)


def deepl_problem(status: int, code: str, text: str, headers: dict[str, str] | None) -> Response:
    """An error in DeepL's dialect, with a status that its clients know."""
    known = _DEEPL_BY_CODE.get(code) or _DEEPL_BY_STATUS.get(status, status)
    return JSONResponse({"message": shortened(text)}, known, headers)


def shortened(text: str) -> str:
    """An error's text without what is over `MAX_ERROR_CHARS`."""
    return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 1] + "\u2026"


class Problem(BaseModel):
    """Body of every reply that is not a success."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    error: str
    """What is wrong, and what to do."""
    code: str
    """A stable word for programs."""


class DeeplxProblem(BaseModel):
    """Body of every reply of DeepLX that is not a success."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: int
    """The status."""
    message: str
    """What is wrong, and what to do."""


class GoogleFault(BaseModel):
    """One reason for an error of Google's dialect."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str
    """What is wrong, shortened."""
    domain: str
    """Always `global`."""
    reason: str
    """The code of the native dialect."""


class GoogleError(BaseModel):
    """An error of Google's dialect."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: int
    """The status."""
    message: str
    """What is wrong, and what to do."""
    status: str
    """A word of Google's for the status."""
    errors: list[GoogleFault]
    """One reason."""


class GoogleProblem(BaseModel):
    """Body of every reply of Google's dialect that is not a success."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    error: GoogleError
    """What went wrong."""


def problem_content(model: type[BaseModel], status: int, code: str, text: str) -> dict[str, Any]:
    """The fields of `model` for an error."""
    return _CONTENTS[model](status, code, text)


def _google_content(status: int, code: str, text: str) -> dict[str, Any]:
    # Not all of the text once more: an error has at most 4 kB.
    fault = {"message": text[: MAX_ERROR_CHARS // 2], "domain": "global", "reason": code}
    named = _GOOGLE_STATUSES.get(status, "INVALID_ARGUMENT")
    return {"error": {"code": status, "message": text, "status": named, "errors": [fault]}}


_CONTENTS: dict[type[BaseModel], Callable[[int, str, str], dict[str, Any]]] = {
    Problem: lambda _, code, text: {"error": text, "code": code},
    DeeplProblem: lambda _, __, text: {"message": text},
    DeeplxProblem: lambda status, _, text: {"code": status, "message": text},
    GoogleProblem: _google_content,
}


def problem(
    path: str, status: int, code: str, text: str, headers: dict[str, str] | None = None
) -> Response:
    """An error in the dialect that `path` belongs to; a query behind it does not count."""
    if is_deepl(path):
        return deepl_problem(status, code, text, headers)
    first = path.partition("?")[0].removeprefix("/").partition("/")[0]
    if first == PLAIN:
        return PlainTextResponse(shortened(text), status, headers)
    content = problem_content(_MODELS.get(first, Problem), status, code, shortened(text))
    return JSONResponse(content, status, headers)


_MODELS: dict[str, type[BaseModel]] = {
    "deeplx": DeeplxProblem,
    "google": GoogleProblem,
    "translate_a": GoogleProblem,
}
"""Shapes of errors by the first part of a path."""


def add_exception_handlers(app: FastAPI) -> None:
    """Register the handlers that turn the exceptions of routes into replies."""
    app.add_exception_handler(ServiceError, _service_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    app.add_exception_handler(ClientDisconnect, _client_left)


async def _service_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError), "registered for this class"
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("request failed", extra={"code": error.code})
    headers = {}
    if isinstance(error, OverloadedError | NotReadyError) and error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return problem(request.url.path, error.status, error.code, str(error), headers)


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this class"
    headers = dict(error.headers or {})
    path = request.url.path
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return problem(
                path, 404, "not_found", "there is nothing here; /docs lists what there is"
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _allowed_methods(request)
            text = f"{request.method} is not allowed here; allowed: {headers['Allow']}"
            return problem(path, 405, "method_not_allowed", text, headers)
        case status:
            return problem(
                path, status, "invalid_request", f"Invalid request: {error.detail}", headers
            )


async def _validation_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for this class"
    faults = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
    return problem(
        request.url.path, 400, "invalid_request", "Invalid request: " + "; ".join(faults)
    )


def _allowed_methods(request: Request) -> str:
    """Methods of all routes at this path; the router itself names those of the first only."""
    asked = [dict(request.scope, method=method) for method in _METHODS]
    found = request.app.router.routes
    routes = [route for route in found if route.matches(asked[0])[0] is not Match.NONE]
    methods = [
        scope["method"]
        for scope in asked
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]
    # The server answers HEAD as GET, without a route.
    return ", ".join("GET, HEAD" if method == "GET" else method for method in methods)


async def _client_left(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)
