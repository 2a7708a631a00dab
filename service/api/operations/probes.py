"""Probes, served models and metrics, for operators."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from service.api.auth.api_keys import check_token
from service.api.dependencies import PartsOf
from service.api.openapi import problems
from service.api.operations.models import ModelReply, model_content
from service.api.refusals.problems import SHUTTING_DOWN
from service.api.replies.json import Reply, json_response
from service.errors import NotReadyError, ShuttingDownError

router = APIRouter(tags=["operations"])


class StatusReply(Reply):
    """Everything is as it should be."""

    status: Literal["ok", "ready"]
    """In one word."""


@router.get("/livez", summary="Is the process alive?", response_model=StatusReply)
async def livez() -> Response:
    """Says only that the process answers: restart it when this fails."""
    return json_response(StatusReply(status="ok"))


@router.get(
    "/readyz",
    summary="Can it translate?",
    response_model=StatusReply,
    responses=problems(503),
)
async def readyz(parts: PartsOf) -> Response:
    """Every model's workers are alive and its canary sentence came out as expected."""
    if parts.in_flight.is_shutting_down:
        raise ShuttingDownError(SHUTTING_DOWN)
    reason = parts.registry.unready_reason()
    if reason is not None:
        raise NotReadyError(reason)
    return json_response(StatusReply(status="ready"))


@router.get("/models", summary="What is served?", response_model=list[ModelReply])
async def models(parts: PartsOf) -> Response:
    """Every bundle: languages, architecture, precision, quality, and whether it is well."""
    return json_response([model_content(served) for served in parts.registry.served])


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses=problems(403),
)
async def metrics(request: Request, parts: PartsOf) -> Response:
    """Everything that is measured, in Prometheus' text format; with a token, if one is set."""
    if parts.settings.metrics_token is not None:
        check_token(request, parts.settings.metrics_token)
    is_ready = not parts.in_flight.is_shutting_down and parts.registry.unready_reason() is None
    parts.metrics.ready.set(is_ready)
    content = await parts.metrics.page()
    return Response(content, media_type=CONTENT_TYPE_PLAIN_0_0_4)
