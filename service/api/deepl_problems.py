"""How DeepL's clients are told what went wrong."""

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

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
