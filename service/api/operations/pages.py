"""The web pages: static files, nothing from other servers."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from service.api.dependencies import PartsOf

_WEB = Path(__file__).resolve().parents[2] / "web"
STATIC_FOLDER = _WEB / "static"
_STATIC = StaticFiles(directory=STATIC_FOLDER)
# Scripts and styles are files, never inline. Pictures for download are drawn in the browser, which
# gives them `blob:` addresses.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_FILE_HEADERS = {
    # Revalidated each time (304 if unchanged), so that modules of two releases never mix.
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(tags=["pages"], include_in_schema=False)


@router.get("/")
async def index() -> FileResponse:
    """Where people translate, and see through it."""
    return _page("index.html")


@router.get("/docs")
async def docs() -> FileResponse:
    """The API for readers, made from /openapi.json in the browser."""
    return _page("docs.html")


@router.get("/model")
async def model() -> FileResponse:
    """What the served models can, and where they come from."""
    return _page("model.html")


@router.get("/learn")
async def learn() -> FileResponse:
    """Questions about the Transformer, answered with the numbers of a sentence."""
    return _page("learn.html")


@router.get("/static/{name}")
async def static(name: str, request: Request) -> Response:
    """A script, style sheet or picture of the pages."""
    reply = await _STATIC.get_response(name, request.scope)
    reply.headers.update(_FILE_HEADERS)
    return reply


@router.get("/openapi.json")
async def openapi(request: Request, parts: PartsOf) -> Response:
    """The API for programs."""
    return Response(await parts.description.body(request.app), media_type="application/json")


def _page(name: str) -> FileResponse:
    return FileResponse(_WEB / name, headers={**_PAGE_HEADERS, **_FILE_HEADERS})
