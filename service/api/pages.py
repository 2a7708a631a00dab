"""Pages for people: static files without anything from another server."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse

_WEB = Path(__file__).resolve().parent.parent / "web"

router = APIRouter(tags=["pages"], include_in_schema=False)


@router.get("/")
async def index() -> FileResponse:
    """What this is, and a box to try it."""
    return FileResponse(_WEB / "index.html")


@router.get("/docs")
async def docs() -> FileResponse:
    """The API for readers, made from /openapi.json in the browser."""
    return FileResponse(_WEB / "docs.html")


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The API for programs."""
    return JSONResponse(request.app.openapi())
