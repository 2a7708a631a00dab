"""Reads and validates request parameters: JSON, or query string and form together."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.datastructures import UploadFile

from service.api.requests.multipart_form import multipart_form
from service.api.requests.schemas import AttentionParameters, ScoreParameters, TranslateParameters
from service.errors import InvalidRequestError, TextTooLongError
from service.settings import Settings

_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
MAX_INLINE_CHARS = 65_536
"""A larger body is parsed outside of the event loop."""
_REST_TO_WORK = 3.0
"""Large bodies may take a quarter of the time."""
MAX_LIST_COMMAS = 30_000
"""Of a body as JSON, beside as many as its texts may have characters: more than all lists of a
request may need. A body of nothing else holds the interpreter's lock for 6 ms and more while it is
parsed."""
MAX_FIELDS = 1_000
"""Of a query string, and of a form."""
MAX_FAULTS = 10
"""Faults of a request that a reply names."""

M = TypeVar("M", bound=BaseModel)


class ParameterReader:
    """Reads and validates the parameters of requests; for one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)
        """Large bodies are parsed one after another: objects can take thirty times their size. And
        a rest follows, because the parser holds the interpreter's lock to its end."""
        self._rests_until_s = 0.0

    async def read(
        self,
        model: type[M],
        request: Request,
        *,
        lists: Collection[str] = (),
        guesses_json: bool = False,
        max_text_chars: int | None = None,
    ) -> M:
        """Parameters of a request; the query string takes precedence over the form.

        Args:
            model: What they are validated against.
            request: Its body is read.
            lists: Names that may be repeated in a query string or form.
            guesses_json: Whether the body is JSON if it begins like an object, and only then,
                whatever its Content-Type says.
            max_text_chars: Characters of all its texts; None: it has tables, of any size.

        Raises:
            InvalidRequestError: The body is not UTF-8, invalid JSON, neither JSON nor a form, or
                not what `model` wants.
        """
        body = _decode(await request.body(), "body")
        if _media_type(request) == _MULTIPART and body and not _looks_like_json(body):
            fields = _query_pairs(request) + await _multipart_pairs(request)
            return parse_parameters(model, _fields(fields, lists))
        is_json = _looks_like_json(body) if guesses_json else _is_json(_media_type(request))
        if len(body) <= MAX_INLINE_CHARS:
            return _parse(model, request, body, lists, is_json)
        if is_json and max_text_chars is not None:
            _check_commas(body, MAX_LIST_COMMAS + max_text_chars)
        async with self._turn:
            await asyncio.sleep(self._rests_until_s - time.monotonic())
            started_s = time.monotonic()
            try:
                return await asyncio.to_thread(_parse, model, request, body, lists, is_json)
            finally:
                ended_s = time.monotonic()
                self._rests_until_s = ended_s + _REST_TO_WORK * (ended_s - started_s)


def parse_parameters(model: type[M], parameters: Mapping[str, Any]) -> M:
    """Validate `parameters`.

    As in LibreTranslate, unknown names are ignored, and null and empty values count as absent.

    Raises:
        InvalidRequestError: With the message that LibreTranslate's clients match on, or the faults.
    """
    given = {name: value for name, value in parameters.items() if value not in (None, "", [])}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        missing = next((e for e in faults if e["type"] == "missing"), None)
        if missing:
            raise missing_parameter(".".join(map(str, missing["loc"]))) from None
        described = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in faults[:MAX_FAULTS]]
        raise InvalidRequestError("Invalid request: " + "; ".join(described)) from None


def missing_parameter(name: str) -> InvalidRequestError:
    """The error whose message clients match on."""
    return InvalidRequestError(f"Invalid request: missing {name} parameter")


def _parse(model: type[M], request: Request, body: str, lists: Collection[str], is_json: bool) -> M:
    """Parameters from a body other than multipart, and the query string beside a form."""
    if is_json:
        return parse_parameters(model, _json_object(body))
    fields = _query_pairs(request) + _form_pairs(_media_type(request), body)
    return parse_parameters(model, _fields(fields, lists))


def _check_commas(body: str, limit: int) -> None:
    """Refuse what is too long for any list, before it is parsed."""
    num_commas = body.count(",")
    if num_commas > limit:
        raise InvalidRequestError(
            f"Invalid request: the body has {num_commas} commas, its lists and texts may have "
            f"{limit}: send several requests"
        )


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _media_type(request: Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _decode(received: bytes, name: str) -> str:
    try:
        return received.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            f"Invalid request: byte {error.start} of the {name} is not UTF-8"
        ) from None


def _json_object(body: str) -> dict[str, Any]:
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequestError(f"Invalid request: the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidRequestError("Invalid request: the JSON body must be an object")
    return value


def _query_pairs(request: Request) -> list[tuple[str, Any]]:
    return _pairs(_decode(request.scope["query_string"], "query"))


def _looks_like_json(body: str) -> bool:
    return body.lstrip().startswith("{")


def _form_pairs(media_type: str, body: str) -> list[tuple[str, Any]]:
    if not body:
        return []
    if _looks_like_json(body):
        raise InvalidRequestError(
            "Invalid request: the body looks like JSON; send the header "
            "'Content-Type: application/json'"
        )
    if media_type == _URLENCODED:
        return _pairs(body)
    raise InvalidRequestError(
        "Invalid request: the body's Content-Type must be application/json, "
        f"{_URLENCODED} or {_MULTIPART}"
    )


def _fields(pairs: Iterable[tuple[str, Any]], lists: Collection[str]) -> dict[str, Any]:
    """Fields by name: the first value, or all values for the names in `lists`."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in lists:
            fields.setdefault(name, []).append(value)
        else:
            fields.setdefault(name, value)
    return fields


def _pairs(encoded: str) -> list[tuple[str, Any]]:
    """The pairs of a query string or form."""
    if encoded.count("&") >= MAX_FIELDS:
        raise _too_many_fields()
    try:
        return list(parse_qsl(encoded, keep_blank_values=True, errors="strict"))
    except ValueError:
        raise InvalidRequestError("Invalid request: a parameter is not UTF-8") from None


async def _multipart_pairs(request: Request) -> list[tuple[str, Any]]:
    async with multipart_form(request, max_fields=MAX_FIELDS) as form:
        pairs = form.multi_items()
        if any(isinstance(value, UploadFile) for _, value in pairs):
            raise InvalidRequestError("Invalid request: a file was sent where text is expected")
        return list(pairs)


def _too_many_fields() -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid request: more than {MAX_FIELDS} fields: send JSON, or several requests"
    )


def check_limits(parameters: TranslateParameters | AttentionParameters, settings: Settings) -> None:
    """Check a request against the configured limits.

    Raises:
        InvalidRequestError: Too many texts, characters or alternatives.
    """
    further: Sequence[str] = ()
    if isinstance(parameters, AttentionParameters):
        further = (*(parameters.translations or ()), *(parameters.contrasts or ()))
    elif parameters.alternatives > settings.max_alternatives:
        raise InvalidRequestError(
            f"Invalid request: alternatives parameter must be <= {settings.max_alternatives}"
        )
    check_texts(parameters.texts, settings, further=further)


def check_texts(
    texts: Sequence[str], settings: Settings, *, further: Sequence[str] = (), name: str = "q"
) -> None:
    """Check texts against the configured limits.

    Args:
        texts: Texts to translate.
        settings: The limits.
        further: Other texts of the request, whose characters count as well.
        name: The parameter that holds the texts.

    Raises:
        InvalidRequestError: Too many texts or characters.
    """
    if len(texts) > settings.max_texts:
        raise InvalidRequestError(
            f"Invalid request: {name} has {len(texts)} texts; the limit is "
            f"{settings.max_texts}: send several requests"
        )
    num_chars = sum(map(len, texts)) + sum(map(len, further))
    if num_chars > settings.max_text_chars:
        raise TextTooLongError(
            f"Invalid request: request ({num_chars}) exceeds text limit ({settings.max_text_chars})"
        )


def timeout_s(
    parameters: TranslateParameters | AttentionParameters | ScoreParameters, settings: Settings
) -> float:
    """Time for a request: its own deadline, at most the server's."""
    return min(parameters.deadline_ms or settings.deadline_ms, settings.deadline_ms) / 1000
