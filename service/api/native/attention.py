"""`POST /attention`: attention maps of the model's own or a given translation."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from service.api.auth.repetition import declared_repetition
from service.api.dependencies import (
    INSPECTIONS_HAVE_ROOM,
    AttentionInput,
    CallerOf,
    Parts,
    PartsOf,
)
from service.api.native.attention_formats import (
    CONTRAST_FORMATS,
    FORMATS,
    HTML,
    NPZ,
    PNG,
    SVG,
    attention_body,
    attention_headers,
    preferred,
)
from service.api.native.translate import selection_of
from service.api.openapi import JSON, REPETITION_PROBLEMS, problems, repeatable, request_body
from service.api.replies.attention import InspectedTextReply
from service.api.requests.direct_route import DirectRoute
from service.api.requests.parameters import check_limits, timeout_s
from service.api.requests.schemas import AttentionParameters
from service.engine.ablation import canonical
from service.errors import InvalidRequestError
from service.inspection.values import AttentionRequest
from service.scheduling.limits import Client
from service.settings import Settings

router = APIRouter(tags=["native"], route_class=DirectRoute)

_REPLY = "The maps; `Accept` says whether as JSON, as a NumPy file, as a picture or as a page."
_CONTENT = {
    NPZ: {"schema": {"type": "string", "format": "binary"}},
    PNG: {"schema": {"type": "string", "format": "binary"}},
    SVG: {"schema": {"type": "string"}},
    HTML: {"schema": {"type": "string"}},
}


@router.post(
    "/attention",
    dependencies=[INSPECTIONS_HAVE_ROOM],
    summary="Show which tokens the model looked at",
    response_model=InspectedTextReply | list[InspectedTextReply],
    responses={
        200: {"description": _REPLY, "content": _CONTENT},
        **problems(400, 403, 408, 413, 429, 500, 503, 504),
        **REPETITION_PROBLEMS,
    },
    openapi_extra=repeatable(
        request_body(
            AttentionParameters,
            JSON,
            example={"q": "Good morning.", "source": "en", "target": "de", "reduce": "heads"},
        )
    ),
)
async def attention(
    request: Request, caller: CallerOf, parameters: AttentionInput, parts: PartsOf
) -> Response:
    """Translate, or take the given translation, and run it through the model once more."""
    time_limit_s = timeout_s(parameters, parts.settings)
    account = await caller.account(parameters.api_key, within_s=time_limit_s)
    check_limits(parameters, parts.settings)
    asked = _attention_request(parameters, parts.settings, account.client)
    offered = FORMATS if asked.contrasts is None else CONTRAST_FORMATS
    media_type = preferred(request.headers.get("Accept", ""), offered)
    async with account.charged(parameters.num_chars, await declared_repetition(request)):
        body = await parts.in_flight.run(
            request,
            account.client,
            _body(parts, asked, media_type, is_list=isinstance(parameters.q, list)),
        )
    return Response(body, headers=attention_headers(media_type))


async def _body(parts: Parts, asked: AttentionRequest, media_type: str, *, is_list: bool) -> bytes:
    async with parts.throttle.turn(asked.timeout_s, asked.client) as left_s:
        pairs = await parts.translator.attention(replace(asked, timeout_s=left_s))
        # A picture takes up to a second, which would block other requests.
        return await parts.reply_thread.run_apart(
            asked.client, attention_body, media_type, pairs, asked.selection, is_list=is_list
        )


def _attention_request(
    parameters: AttentionParameters, settings: Settings, client: Client
) -> AttentionRequest:
    _check_translations(parameters)
    return AttentionRequest(
        texts=parameters.texts,
        source=parameters.source,
        target=parameters.target,
        translations=parameters.translations,
        contrasts=parameters.contrasts,
        selection=selection_of(parameters),
        without_heads=canonical(parameters.without_heads),
        timeout_s=timeout_s(parameters, settings),
        client=client,
    )


def _check_translations(parameters: AttentionParameters) -> None:
    for name, given in (
        ("translation", parameters.translation),
        ("contrast", parameters.contrast),
    ):
        if given is None:
            continue
        is_alike = isinstance(given, list) == isinstance(parameters.q, list)
        num_given = len(given) if isinstance(given, list) else 1
        if not is_alike or num_given != len(parameters.texts):
            raise InvalidRequestError(
                f"Invalid request: {name} must be one text, or as many as q has, like q itself"
            )
