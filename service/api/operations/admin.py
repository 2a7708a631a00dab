"""What changes the running process: for whoever has the operator's token."""

import asyncio

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from service.api.auth.api_keys import check_token
from service.api.dependencies import PartsOf
from service.api.openapi import problems
from service.api.problems import SHUTTING_DOWN
from service.api.replies.translation import json_response
from service.errors import ShuttingDownError
from service.models.loaded_model import LoadedModel

router = APIRouter(prefix="/admin", tags=["admin"])


class BundleReply(BaseModel):
    """A bundle that a reload looked at."""

    name: str
    sha256: str


class ReloadReply(BaseModel):
    """What is different now."""

    outcome: str
    added: list[BundleReply]
    kept: list[BundleReply]
    removed: list[BundleReply]


@router.post(
    "/reload",
    summary="Read the bundles again",
    response_model=ReloadReply,
    responses=problems(403, 409, 500, 503),
)
async def reload(request: Request, parts: PartsOf) -> Response:
    """Answers when new bundles serve, or have been refused; the same as SIGHUP.

    Requests that are being translated are finished with the bundle that they began with.
    """
    assert parts.settings.admin_token is not None, "without a token there is no such route"
    check_token(request, parts.settings.admin_token)
    if not parts.gate.is_open:
        raise ShuttingDownError(SHUTTING_DOWN)
    # Others may wait for the same reload: it goes on if this client leaves.
    done = await asyncio.shield(asyncio.wrap_future(parts.reloader.request()))
    return json_response(
        {
            "outcome": done.outcome,
            "added": [_bundle(model) for model in done.added],
            "kept": [_bundle(model) for model in done.kept],
            "removed": [_bundle(model) for model in done.removed],
        }
    )


def _bundle(model: LoadedModel) -> dict[str, str]:
    return {"name": model.name, "sha256": model.bundle.sha256}
