"""DeepLX's dialect: `POST /deeplx/translate`, one text, for SillyTavern, Pot, Bob, pdf2zh."""

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from service.api.dependencies import Parts, PartsOf, parameters_of
from service.api.dialects.keys import CallerOf
from service.api.dialects.translation import AskedTexts, spare_alternatives, translate_texts
from service.api.openapi import JSON, problems, request_body
from service.api.refusals.problems import DeeplxProblem
from service.api.replies.json import Reply, json_response
from service.api.requests.schemas import LanguageCode, Text
from service.api.served_languages import AUTO
from service.text.markup.passage import MarkupOptions

MAX_ALTERNATIVES = 3
_MAX_ID = 10_000_000_000
_EXAMPLE = {"text": "Good morning.", "source_lang": "EN", "target_lang": "DE"}


class DeeplxParameters(BaseModel):
    """What `POST /deeplx/translate` takes. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    text: Text
    """A text."""
    target_lang: LanguageCode
    """Such as `DE` or `zh-CN`; case does not matter."""
    source_lang: LanguageCode = AUTO
    """If absent or `auto`, the language is found out."""
    tag_handling: Literal["html", "xml"] | None = None
    """What the text is marked up in; plain text if absent."""


class DeeplxReply(Reply):
    """The translation."""

    code: Literal[200] = 200
    """Always 200."""
    id: int
    """At random: clients want one."""
    data: str
    """The translation."""
    alternatives: list[str]
    """Up to three others, where the model's default beam has found them."""
    source_lang: str
    """The source language, given or detected, in capitals."""
    target_lang: str
    """The target language, in capitals."""
    method: Literal["Free"] = "Free"
    """Always `Free`."""


ParametersOf = Annotated[
    DeeplxParameters, Depends(parameters_of(DeeplxParameters, guesses_json=True))
]

router = APIRouter(tags=["deeplx"])


@router.post("/deeplx", include_in_schema=False)
@router.post(
    "/deeplx/translate",
    summary="Translate a text",
    response_model=DeeplxReply,
    responses=problems(400, 403, 408, 413, 429, 500, 503, 504, model=DeeplxProblem),
    openapi_extra=request_body(DeeplxParameters, JSON, example=_EXAMPLE),
)
async def translate(
    request: Request, caller: CallerOf, parameters: ParametersOf, parts: PartsOf
) -> Response:
    """The body is JSON, whatever its Content-Type says; the key may be in `?token=`."""
    answer = await translate_texts(request, caller, parts, _asked(parameters, parts))
    (translation,), (source,) = answer.translations, answer.sources
    reply = DeeplxReply(
        id=secrets.randbelow(_MAX_ID),
        data=translation.text,
        alternatives=list(translation.alternatives),
        source_lang=_upper(source),
        target_lang=_upper(parameters.target_lang),
    )
    return json_response(reply, answer.times)


def _asked(parameters: DeeplxParameters, parts: Parts) -> AskedTexts:
    kind = parameters.tag_handling
    return AskedTexts(
        texts=(parameters.text,),
        source=parameters.source_lang,
        target=parameters.target_lang,
        markup=None if kind is None else MarkupOptions(kind=kind),
        num_alternatives=0 if kind else spare_alternatives(parts, MAX_ALTERNATIVES),
    )


def _upper(code: str) -> str:
    return code.partition("-")[0].upper()
