"""`GET /plain`: text in the address, text as the reply, for XUnity.AutoTranslator and shells."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from service.api.dependencies import PartsOf, parameters_of
from service.api.dialects.keys import CallerOf
from service.api.dialects.translation import AskedTexts, translate_texts
from service.api.openapi import TEXT, plain_problems, query_parameters
from service.api.requests.schemas import LanguageCode, Text
from service.api.served_languages import AUTO

_SOURCE_NAMES = AliasChoices("from", "?from")
"""A client that appends `?from=` to its address, which ends in `?token=KEY&`, sends the second."""


class PlainParameters(BaseModel):
    """What `GET /plain` takes. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    text: Text
    """A text."""
    to: LanguageCode
    """Such as `de` or `zh-CN`; case does not matter."""
    source: LanguageCode = Field(default=AUTO, validation_alias=_SOURCE_NAMES)
    """If absent or `auto`, the language is found out."""


ParametersOf = Annotated[
    PlainParameters, Depends(parameters_of(PlainParameters, guesses_json=True))
]

router = APIRouter(tags=["plain"])


@router.get(
    "/plain",
    summary="Translate a text in the address",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {TEXT: {"schema": {"type": "string"}}}},
        **plain_problems(400, 403, 408, 413, 429, 500, 503, 504),
    },
    openapi_extra=query_parameters(PlainParameters, text="Good morning.", from_="en", to="de"),
)
async def translate(
    request: Request, caller: CallerOf, parameters: ParametersOf, parts: PartsOf
) -> Response:
    """The reply is the translation and nothing else; errors are text too."""
    asked = AskedTexts(texts=(parameters.text,), source=parameters.source, target=parameters.to)
    answer = await translate_texts(request, caller, parts, asked)
    return PlainTextResponse(answer.translations[0].text)
