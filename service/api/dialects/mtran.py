"""MTranServer's dialect: `POST /mtran/translate` and `/mtran/translate/batch`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.api.dependencies import PartsOf, parameters_of
from service.api.dialects.keys import CallerOf
from service.api.dialects.translation import AskedTexts, TranslatedTexts, translate_texts
from service.api.openapi import JSON, problems, request_body
from service.api.replies.json import Reply, json_response
from service.api.requests.schemas import LanguageCode, Text, TextList
from service.api.served_languages import AUTO
from service.text.markup.passage import MarkupOptions

_PROBLEMS = problems(400, 403, 408, 413, 429, 500, 503, 504)
_PAIR = {"from": "en", "to": "de"}


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    to: LanguageCode
    """Such as `de` or `zh-Hans`; case does not matter."""
    source: LanguageCode = Field(default=AUTO, alias="from")
    """If absent or `auto`, each text's language is found out."""
    html: bool = False
    """Whether texts are HTML."""


class MtranParameters(_Parameters):
    """What `POST /mtran/translate` takes. Unknown parameters are ignored."""

    text: Text
    """A text."""


class MtranBatchParameters(_Parameters):
    """What `POST /mtran/translate/batch` takes. Unknown parameters are ignored."""

    texts: TextList
    """The texts."""


class MtranReply(Reply):
    """The translation."""

    result: str
    """The translation."""


class MtranBatchReply(Reply):
    """The translations, in the order of the texts."""

    results: list[str]
    """A translation for each text."""


ParametersOf = Annotated[
    MtranParameters, Depends(parameters_of(MtranParameters, guesses_json=True))
]
BatchParametersOf = Annotated[
    MtranBatchParameters, Depends(parameters_of(MtranBatchParameters, guesses_json=True))
]

router = APIRouter(prefix="/mtran", tags=["mtran"])


@router.post(
    "/translate",
    summary="Translate a text",
    response_model=MtranReply,
    responses=_PROBLEMS,
    openapi_extra=request_body(MtranParameters, JSON, example={**_PAIR, "text": "Good morning."}),
)
async def translate(
    request: Request, caller: CallerOf, parameters: ParametersOf, parts: PartsOf
) -> Response:
    """The key may be all of the header `Authorization`, or in `?token=`."""
    asked = _asked(parameters, (parameters.text,), "text")
    answer = await translate_texts(request, caller, parts, asked)
    return json_response(MtranReply(result=_results(answer)[0]), answer.times)


@router.post(
    "/translate/batch",
    summary="Translate a list of texts",
    response_model=MtranBatchReply,
    responses=_PROBLEMS,
    openapi_extra=request_body(
        MtranBatchParameters, JSON, example={**_PAIR, "texts": ["Good morning."]}
    ),
)
async def translate_batch(
    request: Request, caller: CallerOf, parameters: BatchParametersOf, parts: PartsOf
) -> Response:
    """The key may be all of the header `Authorization`, or in `?token=`."""
    asked = _asked(parameters, tuple(parameters.texts), "texts")
    answer = await translate_texts(request, caller, parts, asked)
    return json_response(MtranBatchReply(results=_results(answer)), answer.times)


def _asked(parameters: _Parameters, texts: tuple[str, ...], name: str) -> AskedTexts:
    return AskedTexts(
        texts=texts,
        source=parameters.source,
        target=parameters.to,
        markup=MarkupOptions() if parameters.html else None,
        name=name,
    )


def _results(answer: TranslatedTexts) -> list[str]:
    return [translation.text for translation in answer.translations]
