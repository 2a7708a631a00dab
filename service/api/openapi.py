"""What FastAPI cannot say by itself in /openapi.json: bodies in several encodings, problems."""

from typing import Any

from pydantic import BaseModel

from service.api.problems import Problem

_TEXTS = {
    400: "A parameter is missing or wrong.",
    413: "The body, or the reply asked for, is over a limit.",
    429: "Too much work is waiting; see Retry-After.",
    500: "The server failed on this request.",
    503: "Not ready, or shutting down.",
    504: "The deadline passed.",
}
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that may end in these ways."""
    return {status: {"model": Problem, "description": _TEXTS[status]} for status in statuses}


def request_body(model: type[BaseModel], *media_types: str) -> dict[str, Any]:
    """`openapi_extra` of a route that reads `model` from any of these encodings."""
    schema = model.model_json_schema()
    inlined = _inline(schema, schema.pop("$defs", {}))
    content = {media_type: {"schema": inlined} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Put definitions in the place of references, which would point outside this schema."""
    if isinstance(schema, list):
        return [_inline(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inline(value, definitions) for key, value in schema.items()}
