"""`/memory`: clients store, list, export and remove what their key has remembered."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from service.api.auth.account import Account
from service.api.dependencies import CallerOf, Parts, PartsOf, check_page, parameters_of
from service.api.native.file_schemas import MULTIPART, add_file_field
from service.api.native.files import UploadOf, attachment
from service.api.openapi import problems, query_parameters, request_body
from service.api.replies.json import Reply, json_response
from service.api.requests.parameters import parse_parameters
from service.api.requests.schemas import LanguageCode
from service.errors import DeadlineExceededError, MemoryDisabledError
from service.translation.memory.client_memory import ClientMemory, Imported
from service.translation.memory.unit import MAX_UNIT_CHARS, Space

TMX = "application/x-tmx+xml"
_PAIR = {"source": "en", "target": "de"}


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    api_key: Any = ""
    """A key, where the server asks for one; also as `Authorization: Bearer KEY`."""


class MemoryParameters(_Parameters):
    """What `GET /memory` takes. Unknown parameters are ignored."""


class MemoryPairParameters(_Parameters):
    """What names a memory: its languages. Unknown parameters are ignored."""

    source: LanguageCode
    """Language of the sentences."""
    target: LanguageCode
    """Language of their translations."""


class MemoryRemovalParameters(MemoryPairParameters):
    """What `DELETE /memory` takes. Unknown parameters are ignored."""

    q: Annotated[str, Field(max_length=MAX_UNIT_CHARS)] | None = None
    """The sentence to remove; if absent, all."""


class PairMemoryReply(Reply):
    """What is stored for one pair of languages."""

    source: str
    """Language code."""
    target: str
    """Language code."""
    sentences: int
    """How many are stored."""


class MemoryReply(Reply):
    """What a key has in the translation memory."""

    memories: list[PairMemoryReply]
    """One for each pair of languages."""
    limit: int
    """Most sentences of all pairs together; beyond it, those used least recently go."""


class MemoryImportReply(Reply):
    """What became of the sentences of a file."""

    new: int
    """Stored."""
    replaced: int
    """Stored in place of another translation."""
    other_languages: int
    """Left out: they lack one of the two languages."""
    unusable: int
    """Left out: empty or too long."""
    dropped: int
    """Removed, because they were used least recently and the key has too many."""


class MemoryRemovalReply(Reply):
    """Sentences are removed."""

    removed: int
    """How many."""


ParametersOf = Annotated[MemoryParameters, Depends(parameters_of(MemoryParameters))]
PairOf = Annotated[MemoryPairParameters, Depends(parameters_of(MemoryPairParameters))]
RemovalOf = Annotated[MemoryRemovalParameters, Depends(parameters_of(MemoryRemovalParameters))]
_UPLOAD = add_file_field(
    request_body(MemoryPairParameters, MULTIPART, example={"file": "team.tmx", **_PAIR}),
    "The file: `.tmx`.",
)

router = APIRouter(tags=["native"])


@router.get(
    "/memory",
    summary="What does the translation memory have?",
    response_model=MemoryReply,
    responses=problems(400, 403, 429, 503),
    openapi_extra=query_parameters(MemoryParameters),
)
async def memory(caller: CallerOf, parameters: ParametersOf, parts: PartsOf) -> Response:
    """Of the key alone; without keys, of all clients."""
    account = await caller.account(parameters.api_key)
    own = client_memory(parts)
    found = await own.spaces(account.owner)
    memories = [
        PairMemoryReply(source=space.source, target=space.target, sentences=count)
        for space, count in found
    ]
    return json_response(MemoryReply(memories=memories, limit=own.max_units))


@router.post(
    "/memory",
    summary="Store the sentences of a TMX file",
    name="import_memory",
    response_model=MemoryImportReply,
    responses=problems(400, 403, 408, 413, 429, 503, 504),
    openapi_extra=_UPLOAD,
)
async def import_memory(
    request: Request, caller: CallerOf, upload: UploadOf, parts: PartsOf
) -> Response:
    """They are used from the next request on. A broken file changes nothing."""
    parameters = parse_parameters(MemoryPairParameters, upload.fields)
    account = await caller.account(parameters.api_key)
    own = client_memory(parts, request)
    space = served_space(parts, account, parameters.source, parameters.target)
    languages = parameters.source, parameters.target
    work = own.import_tmx(space, upload.name, upload.data, languages)
    timeout_s = parts.settings.deadline_ms / 1000
    try:
        async with asyncio.timeout(timeout_s):
            imported = await parts.in_flight.run(request, account.client, work)
    except TimeoutError:
        raise DeadlineExceededError(
            f"not stored within {timeout_s:g} s, but for a part: send the file in parts"
        ) from None
    return json_response(_import_reply(imported))


@router.delete(
    "/memory",
    summary="Remove sentences",
    name="remove_memory",
    response_model=MemoryRemovalReply,
    responses=problems(400, 403, 429, 503),
    openapi_extra=query_parameters(MemoryRemovalParameters, **_PAIR),
)
async def remove_memory(
    request: Request, caller: CallerOf, parameters: RemovalOf, parts: PartsOf
) -> Response:
    """One with `q`, otherwise all of the two languages."""
    account = await caller.account(parameters.api_key)
    own = client_memory(parts, request)
    space = await _kept_space(parts, account, parameters)
    if parameters.q is None:
        removed = await own.clear(space)
    else:
        removed = await own.remove(space, parameters.q)
    return json_response(MemoryRemovalReply(removed=removed))


@router.get(
    "/memory/export",
    summary="Fetch the stored sentences as TMX",
    response_class=Response,
    responses={
        200: {"content": {TMX: {"schema": {"type": "string"}}}},
        **problems(400, 403, 429, 503),
    },
    openapi_extra=query_parameters(MemoryPairParameters, **_PAIR),
)
async def export_memory(caller: CallerOf, parameters: PairOf, parts: PartsOf) -> Response:
    """Oldest first; a file without sentences if there are none."""
    account = await caller.account(parameters.api_key)
    own = client_memory(parts)
    space = await _kept_space(parts, account, parameters)
    name = f"{space.source}-{space.target}.tmx"
    return StreamingResponse(
        own.export_tmx(space),
        media_type=TMX,
        headers={"Content-Disposition": attachment(name)},
    )


def client_memory(parts: Parts, request: Request | None = None) -> ClientMemory:
    """The memory that clients may write to.

    Args:
        parts: Of the service.
        request: One that changes something.

    Raises:
        MemoryDisabledError: The operator wants none.
        ForbiddenError: No key is needed, and the request is sent by a page of another server.
    """
    if parts.memory is None:
        raise MemoryDisabledError("clients may not write to a translation memory of this server")
    if request is not None:
        check_page(request, parts, "the translation memory")
    return parts.memory


def served_space(parts: Parts, account: Account, source: str, target: str) -> Space:
    """The space that the translations of a key look into for two languages.

    Raises:
        UnsupportedLanguageError: The server does not translate between them.
    """
    route = parts.registry.routes.find(source, target)
    return Space.of(account.owner, route[0][0], route[-1][1])


async def _kept_space(parts: Parts, account: Account, parameters: MemoryPairParameters) -> Space:
    """The space that has units for these languages, which no model needs to know any more."""
    source, target = parameters.source, parameters.target
    named = Space.of(account.owner, source, target)
    kept = await client_memory(parts).spaces(account.owner)
    if any(space == named for space, _ in kept):
        return named
    return served_space(parts, account, source, target)


def _import_reply(imported: Imported) -> MemoryImportReply:
    stored, skipped = imported.stored, imported.skipped
    return MemoryImportReply(
        new=stored.num_new,
        replaced=stored.num_replaced,
        other_languages=skipped.num_other_languages,
        unusable=skipped.num_unusable,
        dropped=stored.num_dropped,
    )
