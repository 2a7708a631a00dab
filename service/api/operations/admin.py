"""Routes that change the running process; they require the operator's token."""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from service.api.auth.api_keys import check_token
from service.api.dependencies import PartsOf
from service.api.openapi import problems
from service.api.refusals.problems import SHUTTING_DOWN
from service.api.replies.json import Reply, json_response
from service.errors import ShuttingDownError
from service.models.loaded_model import LoadedModel
from service.models.served_bundle import ServedBundle

router = APIRouter(prefix="/admin", tags=["admin"])


class BundleReply(Reply):
    """A bundle that a reload looked at."""

    name: str
    sha256: str


class ReloadReply(Reply):
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
    assert parts.settings.admin_token is not None, "the route exists only with a token"
    check_token(request, parts.settings.admin_token)
    if not parts.in_flight.is_open:
        raise ShuttingDownError(SHUTTING_DOWN)
    # Shielded, because other requests may wait for the same reload.
    done = await asyncio.shield(asyncio.wrap_future(parts.reloader.request()))
    return json_response(
        ReloadReply(
            outcome=done.outcome,
            added=_bundles(done.added),
            kept=_bundles(done.kept),
            removed=_bundles(done.removed),
        )
    )


def _bundles(models: Sequence[LoadedModel | ServedBundle]) -> list[BundleReply]:
    return [BundleReply(name=model.name, sha256=model.bundle.sha256) for model in models]
