"""`POST /suggest`: LibreTranslate's clients offer a better translation, stored for the operator."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from service.api.dependencies import CallerOf, PartsOf, parameters_of
from service.api.openapi import FORM, JSON, problems, request_body
from service.api.parameters import check_texts
from service.api.replies.json import Reply, json_response
from service.api.schemas import LanguageCode, Text
from service.errors import SuggestionsDisabledError

_EXAMPLE = {"q": "Good morning.", "s": "Guten Morgen!", "source": "en", "target": "de"}


class SuggestParameters(BaseModel):
    """What `POST /suggest` takes. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    q: Text
    """The text."""
    s: Text
    """What its translation should be."""
    source: LanguageCode
    """Language of the text."""
    target: LanguageCode
    """Language of the suggestion."""
    api_key: Any = ""
    """A key, where the server asks for one; also as `Authorization: Bearer KEY`."""


class SuggestReply(Reply):
    """The suggestion is stored."""

    success: bool
    """Whether it is stored."""


ParametersOf = Annotated[SuggestParameters, Depends(parameters_of(SuggestParameters))]

router = APIRouter(tags=["native"])


@router.post(
    "/suggest",
    summary="Suggest a translation",
    response_model=SuggestReply,
    responses=problems(400, 403, 408, 413, 429, 503),
    openapi_extra=request_body(SuggestParameters, JSON, FORM, example=_EXAMPLE),
)
async def suggest(caller: CallerOf, parameters: ParametersOf, parts: PartsOf) -> Response:
    """Off unless the operator names a file; the model is not changed by it."""
    await caller.account(parameters.api_key)
    if parts.suggestions is None:
        raise SuggestionsDisabledError("Suggestions are disabled on this server.")
    check_texts((parameters.q, parameters.s), parts.settings)
    await parts.suggestions.add(parameters.source, parameters.target, parameters.q, parameters.s)
    return json_response(SuggestReply(success=True))
