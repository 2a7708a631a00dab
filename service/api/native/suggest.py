"""`POST /suggest`: LibreTranslate's clients offer a better translation."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from service.api.auth.account import Account
from service.api.dependencies import CallerOf, Parts, PartsOf, parameters_of
from service.api.native.memory import client_memory, served_space
from service.api.openapi import FORM, JSON, problems, request_body
from service.api.replies.json import Reply, json_response
from service.api.requests.parameters import check_texts
from service.api.requests.schemas import LanguageCode, Text
from service.errors import SuggestionsDisabledError, TextTooLongError
from service.translation.memory.unit import MAX_UNIT_CHARS, Unit

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
async def suggest(
    request: Request, caller: CallerOf, parameters: ParametersOf, parts: PartsOf
) -> Response:
    """Off unless the operator names a file or lets clients write to the translation memory.

    In the memory, the translation of a sentence is used from then on. The model is not changed.
    """
    account = await caller.account(parameters.api_key)
    if parts.suggestions is None and parts.memory is None:
        raise SuggestionsDisabledError("Suggestions are disabled on this server.")
    check_texts((parameters.q, parameters.s), parts.settings)
    if parts.memory is not None:
        await _remember(request, parts, account, parameters)
    if parts.suggestions is not None:
        given = parameters.source, parameters.target, parameters.q, parameters.s
        await parts.suggestions.add(*given)
    return json_response(SuggestReply(success=True))


async def _remember(
    request: Request, parts: Parts, account: Account, parameters: SuggestParameters
) -> None:
    """Stores a suggestion in the memory of a key.

    Raises:
        TextTooLongError: It is no sentence.
        UnsupportedLanguageError: The server does not translate between its languages.
    """
    unit = Unit(source=parameters.q.strip(), target=parameters.s.strip())
    if not unit.is_usable:
        raise TextTooLongError(
            f"Invalid request: q and s need 1 to {MAX_UNIT_CHARS} characters each: "
            "suggest sentence by sentence"
        )
    own = client_memory(parts, request)
    space = served_space(parts, account, parameters.source, parameters.target)
    await own.add(space, [unit])
