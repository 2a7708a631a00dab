"""Parts of /openapi.json that FastAPI cannot derive: bodies in several encodings, problems."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from service.api.auth.repetition import IDEMPOTENCY_KEY, MAX_KEY_CHARS
from service.api.refusals.problems import INTERNAL_ERROR, SHUTTING_DOWN, Problem, problem_content

_TEXTS = {
    400: "A parameter is missing or wrong.",
    403: "The key is none of this server's.",
    404: "There is no such thing, or no longer.",
    408: "The body took too long to arrive.",
    409: "A bundle on the disk does not pass: everything goes on as it was.",
    413: "The body, or the reply asked for, is over a limit.",
    422: "The `Idempotency-Key` was sent before, with another request.",
    429: "Too much work is waiting, or the key has had what it may; see Retry-After.",
    456: "What the key may have translated this month is used up.",
    500: "The server failed on this request.",
    503: "Not ready, or shutting down.",
    504: "The deadline passed.",
}
_EXAMPLES = {
    400: ("invalid_request", "Invalid request: missing q parameter"),
    403: ("invalid_key", "Invalid API key"),
    404: ("not_found", "there is nothing here; /docs lists what there is"),
    408: ("request_timeout", "the body took longer than 30 s to arrive"),
    409: ("reload_refused", "everything goes on as it was: bundle de-en cannot be used, 1 fault"),
    413: ("payload_too_large", "the body has more than 1048576 bytes: send it in parts"),
    422: (
        "idempotency_key_reused",
        "this Idempotency-Key was sent with another request: use a new one",
    ),
    429: ("overloaded", "Slowdown: 1024 sentences are waiting, the limit is 1024 sentences"),
    456: ("quota_exceeded", "Slowdown: the key has 0 of 500000 characters left this month"),
    500: ("internal", INTERNAL_ERROR),
    503: ("shutting_down", SHUTTING_DOWN),
    504: ("deadline_exceeded", "not finished within 30 s"),
}
_PLAIN_TAGS = ("native", "operations")
_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, where the server asks for one; also as the field `api_key`.",
    },
    "deepl": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`DeepL-Auth-Key KEY`, where the server asks for a key; also as the field "
        "`auth_key`.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The operator's token, where one is set.",
    },
}
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
TEXT = "text/plain"


class DescribedApp(FastAPI):
    """An application whose description says which keys an operation takes."""

    def openapi(self) -> dict[str, Any]:
        """The description; a second call returns the same one."""
        api = super().openapi()
        api["components"]["securitySchemes"] = _SCHEMES
        for operations in api["paths"].values():
            for operation in operations.values():
                if "403" in operation["responses"]:
                    operation["security"] = [{}, {_scheme_of(operation): []}]
        return api


def operation_id(route: APIRoute) -> str:
    """An id that stays when an address changes: the route's name, behind its dialect if it has one.

    Args:
        route: Its first tag is the dialect, or what kind of operation it is.
    """
    (tag, *_) = route.tags
    return route.name if tag in _PLAIN_TAGS else f"{tag}_{route.name}"


def _scheme_of(operation: Mapping[str, Any]) -> str:
    (tag, *_) = operation["tags"]
    return {"operations": "token", "admin": "token", "deepl": "deepl"}.get(tag, "key")


def problems(*statuses: int, model: type[BaseModel] = Problem) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that may fail with these statuses, with an example of each."""
    return {
        status: {
            "model": model,
            "description": _TEXTS[status],
            "content": {JSON: {"example": _example(status, model)}},
        }
        for status in statuses
    }


def request_body(
    model: type[BaseModel], *media_types: str, example: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """`openapi_extra` of a route that reads `model` from any of these media types."""
    schema = model.model_json_schema()
    described: dict[str, Any] = {"schema": _inline(schema, schema.pop("$defs", {}))}
    if example is not None:
        described["example"] = dict(example)
    content = dict.fromkeys(media_types, described)
    return {"requestBody": {"required": True, "content": content}}


def path_parameter(name: str, description: str) -> dict[str, Any]:
    """`openapi_extra` of a route with the path parameter `name`."""
    described = {"in": "path", "required": True, "schema": {"type": "string"}}
    return {"parameters": [{"name": name, "description": description, **described}]}


def repeatable(extra: Mapping[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a route whose requests may be repeated without paying twice."""
    return {**extra, "parameters": [*extra.get("parameters", ()), _IDEMPOTENCY_PARAMETER]}


def plain_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route whose errors are plain text."""
    return {
        status: {
            "description": _TEXTS[status],
            "content": {TEXT: {"schema": {"type": "string"}, "example": _EXAMPLES[status][1]}},
        }
        for status in statuses
    }


def query_parameters(model: type[BaseModel], **example: str) -> dict[str, Any]:
    """`openapi_extra` of a route that reads `model` from the query string.

    Args:
        model: What it reads.
        example: Values that make a request; `from_` stands for `from`.
    """
    examples = {name.rstrip("_"): {"example": value} for name, value in example.items()}
    schema = model.model_json_schema()
    required = schema.get("required", ())
    found = []
    for name, described in schema["properties"].items():
        text = described.pop("description")
        parameter = {"in": "query", "required": name in required, "schema": described}
        found.append({"name": name, "description": text, **parameter, **examples.get(name, {})})
    return {"parameters": found}


def _example(status: int, model: type[BaseModel]) -> dict[str, Any]:
    return problem_content(model, status, *_EXAMPLES[status])


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Replace references by their definitions, as they would point outside this schema."""
    if isinstance(schema, list):
        return [_inline(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inline(value, definitions) for key, value in schema.items()}


_IDEMPOTENCY_PARAMETER = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "description": "Chosen by the client, and equal for all attempts of a request: what one has "
    "delivered costs no other anything. Needs a key.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
}
_IN_PROGRESS = {
    "error": "the request with this Idempotency-Key is in progress: wait for its reply",
    "code": "request_in_progress",
}
REPETITION_PROBLEMS: dict[int | str, dict[str, Any]] = {
    409: {
        "model": Problem,
        "description": "A request with this `Idempotency-Key` is in progress; see Retry-After.",
        "content": {JSON: {"example": _IN_PROGRESS}},
    },
    **problems(422),
}
"""Further `responses` of a route that is `repeatable`."""
