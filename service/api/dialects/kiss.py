"""The dialect of Kiss Translator's custom interface: `POST /kiss`, a text or a list."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from service.api.dependencies import PartsOf, parameters_of
from service.api.dialects.keys import CallerOf
from service.api.dialects.translation import AskedTexts, translate_texts
from service.api.openapi import JSON, problems, request_body
from service.api.replies.json import Reply, json_response
from service.api.requests.schemas import LanguageCode, Text, TextList
from service.api.served_languages import AUTO, web_code

_EXAMPLE = {"from": "auto", "to": "de", "texts": ["Good morning."]}


class KissParameters(BaseModel):
    """What `POST /kiss` takes. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    to: LanguageCode
    """Such as `de` or `zh-CN`; case does not matter."""
    source: LanguageCode = Field(default=AUTO, alias="from")
    """If absent or `auto`, each text's language is found out."""
    text: Text | None = None
    """A text; or `texts`."""
    texts: TextList | None = None
    """Texts, where the client sends several together; or `text`."""

    @model_validator(mode="after")
    def _has_texts(self) -> Self:
        if (self.text is None) == (self.texts is None):
            raise PydanticCustomError("texts", "send either text or texts")
        return self


class KissTranslation(Reply):
    """One text."""

    text: str
    """The translation."""
    src: str
    """Its language."""


class KissReply(Reply):
    """The translations, in the order of `texts`."""

    translations: list[KissTranslation]
    """One for each text."""


ParametersOf = Annotated[KissParameters, Depends(parameters_of(KissParameters, guesses_json=True))]

router = APIRouter(tags=["kiss"])


@router.post(
    "/kiss",
    summary="Translate a text or a list of texts",
    response_model=KissReply | KissTranslation,
    responses=problems(400, 403, 408, 413, 429, 500, 503, 504),
    openapi_extra=request_body(KissParameters, JSON, example=_EXAMPLE),
)
async def translate(
    request: Request, caller: CallerOf, parameters: ParametersOf, parts: PartsOf
) -> Response:
    """`texts` is answered with `translations`, `text` with one of them."""
    asked = AskedTexts(
        texts=tuple(parameters.texts or [parameters.text or ""]),
        source=parameters.source,
        target=parameters.to,
        name="text" if parameters.texts is None else "texts",
        keeps_foreign=True,
    )
    answer = await translate_texts(request, caller, parts, asked)
    found = [
        KissTranslation(text=translation.text, src=web_code(source))
        for translation, source in zip(answer.translations, answer.sources, strict=True)
    ]
    reply = found[0] if parameters.texts is None else KissReply(translations=found)
    return json_response(reply, answer.times)
