"""Turns everything that goes wrong into `{"error": text, "code": code}`, or DeepL's shape."""

import logging
import math
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from service.errors import OverloadedError, ServiceError

PREFIXES = ("/v2", "/deepl")
QUOTA_EXCEEDED = 456
"""DeepL's own status."""

_BY_CODE = {"key_required": 403, "quota_exceeded": QUOTA_EXCEEDED}
_BY_STATUS = {401: 403, 405: 400, 408: 503, 413: 400, 500: 503, 504: 503}
"""The clients know 400, 403, 404, 429, 456 and 503; with 429 and 503 they try again."""


class DeeplProblem(BaseModel):
    """Body of every reply of this dialect that is not a success."""

    message: str


def is_deepl(path: str) -> bool:
    """Whether an address belongs to this dialect, also one where nothing is."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in PREFIXES)


def deepl_problem(status: int, code: str, text: str, headers: dict[str, str] | None) -> Response:
    """A reply that says what went wrong."""
    known = _BY_CODE.get(code) or _BY_STATUS.get(status, status)
    return JSONResponse({"message": text}, known, headers)


CLIENT_CLOSED_REQUEST = 499
"""Never sent, only counted: the client had gone before its answer."""
INTERNAL_ERROR = "the server failed on this request; its log has the reason under the request id"
SHUTTING_DOWN = "the service is shutting down: send the request elsewhere"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """Body of every reply that is not a success."""

    error: str
    code: str


def problem(
    path: str, status: int, code: str, text: str, headers: dict[str, str] | None = None
) -> Response:
    """A reply that says what went wrong, in the dialect of the address `path`."""
    if is_deepl(path):
        return deepl_problem(status, code, text, headers)
    return JSONResponse({"error": text, "code": code}, status, headers)


def add_exception_handlers(app: FastAPI) -> None:
    """Register the translation of every exception that a route may raise on purpose."""
    app.add_exception_handler(ServiceError, _service_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)


async def _service_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError), "registered for nothing else"
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("request failed", extra={"code": error.code})
    headers = {}
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return problem(request.url.path, error.status, error.code, str(error), headers)


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for nothing else"
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
    assert isinstance(error, RequestValidationError), "registered for nothing else"
    faults = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
    return problem(
        request.url.path, 400, "invalid_request", "Invalid request: " + "; ".join(faults)
    )


def _allowed_methods(request: Request) -> str:
    """Of all routes at this address; the router itself names those of the first one only."""
    routes = request.app.router.routes
    asked = [dict(request.scope, method=method) for method in _METHODS]
    return ", ".join(
        scope["method"]
        for scope in asked
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    )


async def _nobody_listens(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)
