"""The dialect of Immersive Translate's custom service: `POST /immersive`, a list of texts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from service.api.dependencies import PartsOf, parameters_of
from service.api.dialects.keys import CallerOf
from service.api.dialects.translation import AskedTexts, translate_texts
from service.api.openapi import JSON, problems, request_body
from service.api.replies.json import Reply, json_response
from service.api.requests.schemas import LanguageCode, TextList
from service.api.served_languages import AUTO, web_code

_EXAMPLE = {"source_lang": "auto", "target_lang": "de", "text_list": ["Good morning."]}


class ImmersiveParameters(BaseModel):
    """What `POST /immersive` takes. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    text_list: TextList
    """The texts."""
    target_lang: LanguageCode
    """Such as `de` or `zh-CN`; case does not matter."""
    source_lang: LanguageCode = AUTO
    """If absent or `auto`, each text's language is found out."""


class ImmersiveTranslation(Reply):
    """One text."""

    detected_source_lang: str
    """The source language, given or detected."""
    text: str
    """The translation."""


class ImmersiveReply(Reply):
    """The translations, in the order of the texts."""

    translations: list[ImmersiveTranslation]
    """One for each text."""


ParametersOf = Annotated[
    ImmersiveParameters, Depends(parameters_of(ImmersiveParameters, guesses_json=True))
]

router = APIRouter(tags=["immersive"])


@router.post(
    "/immersive",
    summary="Translate a list of texts",
    response_model=ImmersiveReply,
    responses=problems(400, 403, 408, 413, 429, 500, 503, 504),
    openapi_extra=request_body(ImmersiveParameters, JSON, example=_EXAMPLE),
)
async def translate(
    request: Request, caller: CallerOf, parameters: ParametersOf, parts: PartsOf
) -> Response:
    """The body is JSON, whatever its Content-Type says; the key may be in `?token=`."""
    asked = AskedTexts(
        texts=tuple(parameters.text_list),
        source=parameters.source_lang,
        target=parameters.target_lang,
        name="text_list",
        keeps_foreign=True,
    )
    answer = await translate_texts(request, caller, parts, asked)
    found = zip(answer.translations, answer.sources, strict=True)
    reply = ImmersiveReply(
        translations=[
            ImmersiveTranslation(detected_source_lang=web_code(source), text=translation.text)
            for translation, source in found
        ]
    )
    return json_response(reply, answer.times)
