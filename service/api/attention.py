"""What did the model look at? Attention maps of a translation, ours or a given one."""

from fastapi import APIRouter, Request, Response

from service.api.dependencies import AttentionInput, PartsOf
from service.api.limits import check_limits, timeout_s
from service.api.native import selection_of
from service.api.openapi import JSON, problems, request_body
from service.api.replies import InspectedTextReply, inspected_content, json_response
from service.api.schemas import AttentionParameters
from service.errors import InvalidRequestError
from service.settings import Settings
from service.translation import AttentionRequest

router = APIRouter(tags=["native"])


@router.post(
    "/attention",
    summary="Show which tokens the model looked at",
    response_model=InspectedTextReply | list[InspectedTextReply],
    responses=problems(400, 413, 429, 500, 503, 504),
    openapi_extra=request_body(AttentionParameters, JSON),
)
async def attention(request: Request, parameters: AttentionInput, parts: PartsOf) -> Response:
    """Translate, or take the given translation, and run it through the model once more."""
    check_limits(parameters, parts.settings)
    work = parts.translator.attention(_attention_request(parameters, parts.settings))
    pairs = await parts.gate.run(request, work)
    contents = [inspected_content(pair) for pair in pairs]
    return json_response(contents if isinstance(parameters.q, list) else contents[0])


def _attention_request(parameters: AttentionParameters, settings: Settings) -> AttentionRequest:
    _check_translations(parameters)
    return AttentionRequest(
        texts=parameters.texts,
        source=parameters.source,
        target=parameters.target,
        translations=parameters.translations,
        selection=selection_of(parameters),
        timeout_s=timeout_s(parameters, settings),
    )


def _check_translations(parameters: AttentionParameters) -> None:
    given = parameters.translation
    if given is None:
        return
    is_alike = isinstance(given, list) == isinstance(parameters.q, list)
    if not is_alike or len(parameters.translations or ()) != len(parameters.texts):
        raise InvalidRequestError(
            "Invalid request: translation must be one text, or as many as q has, like q itself"
        )
