"""Routes of glossaries: version 2 of DeepL's API for one direction, version 3 for several."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from service.api.deepl.glossary_schemas import (
    DictionaryParameters,
    DictionaryReply,
    DictionaryUpdate,
    EntriesReply,
    GlossariesReply,
    GlossaryPair,
    GlossaryPairsReply,
    GlossaryParameters,
    GlossaryReply,
    MultilingualListReply,
    MultilingualParameters,
    MultilingualReply,
    MultilingualUpdate,
    PairParameters,
    dictionary_reply,
    entries_reply,
    glossary_reply,
    multilingual_reply,
)
from service.api.dependencies import CallerOf, PartsOf, check_page, parameters_of, path_value
from service.api.glossaries.stored import Dictionary, StoredGlossary, base_of, meaning_of
from service.api.glossaries.terms_file import write_tsv
from service.api.openapi import FORM, JSON, path_parameter, problems, request_body
from service.api.refusals.problems import DeeplProblem
from service.api.replies.json import json_response
from service.api.served_languages import targets_by_source
from service.errors import InvalidRequestError, NotFoundError

TSV = "text/tab-separated-values"
_EXAMPLE = {
    "name": "Engines",
    "source_lang": "en",
    "target_lang": "de",
    "entries": "engine\tTriebwerk",
    "entries_format": "tsv",
}
_DICTIONARY_EXAMPLE = {name: value for name, value in _EXAMPLE.items() if name != "name"}
_MULTILINGUAL_EXAMPLE = {"name": "Engines", "dictionaries": [_DICTIONARY_EXAMPLE]}
_ID = path_parameter("id", "The `glossary_id` of a glossary.")
_PAIR = {
    "parameters": [
        *_ID["parameters"],
        *(
            {
                "name": name,
                "in": "query",
                "required": True,
                "description": "A language code.",
                "schema": {"type": "string"},
            }
            for name in ("source_lang", "target_lang")
        ),
    ]
}

router = APIRouter(tags=["deepl"])
GlossaryId = Annotated[str, Depends(path_value("id"))]


async def _owner(request: Request, caller: CallerOf) -> str:
    """Whose glossaries a request without a body is about."""
    return (await caller.account(request.query_params.get("auth_key"))).owner


GlossaryInput = Annotated[
    GlossaryParameters, Depends(parameters_of(GlossaryParameters, has_tables=True))
]
MultilingualInput = Annotated[
    MultilingualParameters, Depends(parameters_of(MultilingualParameters, has_tables=True))
]
UpdateInput = Annotated[
    MultilingualUpdate, Depends(parameters_of(MultilingualUpdate, has_tables=True))
]
DictionaryInput = Annotated[
    DictionaryUpdate, Depends(parameters_of(DictionaryUpdate, has_tables=True))
]
PairInput = Annotated[PairParameters, Depends(parameters_of(PairParameters))]
OwnerOf = Annotated[str, Depends(_owner)]


@router.get(
    "/v2/glossary-language-pairs",
    summary="List the pairs of languages that may have glossaries",
    response_model=GlossaryPairsReply,
    responses=problems(400, 403, 429, 503, model=DeeplProblem),
)
async def glossary_language_pairs(owner: OwnerOf, parts: PartsOf) -> Response:
    """All that are served; regions do not count."""
    _ = owner
    pairs = {
        (base_of(source), base_of(target))
        for source, targets in targets_by_source(parts.registry).items()
        for target in targets
    }
    supported = [GlossaryPair(source_lang=s, target_lang=t) for s, t in sorted(pairs)]
    return json_response(GlossaryPairsReply(supported_languages=supported))


@router.post(
    "/v2/glossaries",
    summary="Create a glossary",
    status_code=HTTPStatus.CREATED,
    response_model=GlossaryReply,
    responses=problems(400, 403, 429, 503, model=DeeplProblem),
    openapi_extra=request_body(GlossaryParameters, JSON, FORM, example=_EXAMPLE),
)
async def create_glossary(
    request: Request, caller: CallerOf, parameters: GlossaryInput, parts: PartsOf
) -> Response:
    """For one direction; it is ready at once."""
    check_page(request, parts, "glossaries")
    account = await caller.account(parameters.auth_key)
    dictionary = await asyncio.to_thread(parameters.dictionary)
    created = await parts.glossaries.create(account.owner, parameters.name, [dictionary])
    return _response(glossary_reply(created), HTTPStatus.CREATED)


@router.get(
    "/v2/glossaries",
    summary="List the glossaries of one direction each",
    response_model=GlossariesReply,
    responses=problems(400, 403, 429, 503, model=DeeplProblem),
)
async def list_glossaries(owner: OwnerOf, parts: PartsOf) -> Response:
    """Those of the key, then those of the server."""
    infos = [info for info in await parts.glossaries.all(owner) if len(info.dictionaries) == 1]
    return json_response(GlossariesReply(glossaries=[glossary_reply(info) for info in infos]))


@router.get(
    "/v2/glossaries/{id}",
    summary="What is a glossary?",
    response_model=GlossaryReply,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=_ID,
)
async def glossary(owner: OwnerOf, glossary_id: GlossaryId, parts: PartsOf) -> Response:
    """Of one direction; see version 3 for others."""
    info = await parts.glossaries.info(owner, glossary_id)
    _check_single(len(info.dictionaries))
    return json_response(glossary_reply(info))


@router.get(
    "/v2/glossaries/{id}/entries",
    summary="Fetch the terms of a glossary",
    response_class=Response,
    responses={
        200: {"content": {TSV: {"schema": {"type": "string"}}}},
        **problems(400, 403, 404, 429, 503, model=DeeplProblem),
    },
    openapi_extra=_ID,
)
async def glossary_entries(owner: OwnerOf, glossary_id: GlossaryId, parts: PartsOf) -> Response:
    """A line for each: the term, a tab, its translation."""
    found = await parts.glossaries.get(owner, glossary_id)
    _check_single(len(found.dictionaries))
    return Response(write_tsv(found.dictionaries[0].entries), media_type=TSV)


@router.delete(
    "/v2/glossaries/{id}",
    summary="Delete a glossary",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=_ID,
)
@router.delete(
    "/v3/glossaries/{id}",
    name="delete_multilingual",
    summary="Delete a glossary",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=_ID,
)
async def delete_glossary(owner: OwnerOf, glossary_id: GlossaryId, parts: PartsOf) -> Response:
    """Requests and files that already use it are not affected."""
    await parts.glossaries.remove(owner, glossary_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post(
    "/v3/glossaries",
    summary="Create a glossary for several pairs of languages",
    status_code=HTTPStatus.CREATED,
    response_model=MultilingualReply,
    responses=problems(400, 403, 429, 503, model=DeeplProblem),
    openapi_extra=request_body(MultilingualParameters, JSON, example=_MULTILINGUAL_EXAMPLE),
)
async def create_multilingual(
    request: Request, caller: CallerOf, parameters: MultilingualInput, parts: PartsOf
) -> Response:
    """Each direction has terms of its own."""
    check_page(request, parts, "glossaries")
    account = await caller.account(parameters.auth_key)
    dictionaries = await asyncio.to_thread(_dictionaries, parameters.dictionaries)
    created = await parts.glossaries.create(account.owner, parameters.name, dictionaries)
    return _response(multilingual_reply(created), HTTPStatus.CREATED)


@router.get(
    "/v3/glossaries",
    summary="List the glossaries",
    response_model=MultilingualListReply,
    responses=problems(400, 403, 429, 503, model=DeeplProblem),
)
async def list_multilingual(owner: OwnerOf, parts: PartsOf) -> Response:
    """Those of the key, then those of the server."""
    infos = await parts.glossaries.all(owner)
    return json_response(MultilingualListReply(glossaries=[multilingual_reply(i) for i in infos]))


@router.get(
    "/v3/glossaries/{id}",
    summary="What is a glossary?",
    response_model=MultilingualReply,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=_ID,
)
async def multilingual(owner: OwnerOf, glossary_id: GlossaryId, parts: PartsOf) -> Response:
    """Its name, and how many terms it has for each direction."""
    return json_response(multilingual_reply(await parts.glossaries.info(owner, glossary_id)))


@router.patch(
    "/v3/glossaries/{id}",
    summary="Rename a glossary, or add terms",
    response_model=MultilingualReply,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=request_body(MultilingualUpdate, JSON, example=_MULTILINGUAL_EXAMPLE) | _ID,
)
async def update_multilingual(
    caller: CallerOf, glossary_id: GlossaryId, parameters: UpdateInput, parts: PartsOf
) -> Response:
    """Terms that it has already get the new translation, others stay."""
    account = await caller.account(parameters.auth_key)
    added = await asyncio.to_thread(_dictionaries, parameters.dictionaries)
    change = partial(_updated, name=parameters.name, dictionaries=added)
    changed = await parts.glossaries.change(account.owner, glossary_id, change)
    return json_response(multilingual_reply(changed))


@router.put(
    "/v3/glossaries/{id}/dictionaries",
    summary="Replace the terms of one direction",
    response_model=DictionaryReply,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=request_body(DictionaryUpdate, JSON, example=_DICTIONARY_EXAMPLE) | _ID,
)
async def replace_dictionary(
    caller: CallerOf, glossary_id: GlossaryId, parameters: DictionaryInput, parts: PartsOf
) -> Response:
    """The direction is added if the glossary has it not."""
    account = await caller.account(parameters.auth_key)
    dictionary = await asyncio.to_thread(parameters.dictionary)
    await parts.glossaries.change(
        account.owner, glossary_id, lambda found: found.with_dictionary(dictionary)
    )
    return json_response(dictionary_reply(dictionary.info))


@router.get(
    "/v3/glossaries/{id}/entries",
    summary="Fetch the terms of one direction",
    response_model=EntriesReply,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=_PAIR,
)
async def multilingual_entries(
    caller: CallerOf, glossary_id: GlossaryId, parameters: PairInput, parts: PartsOf
) -> Response:
    """As tab-separated values."""
    account = await caller.account(parameters.auth_key)
    found = await parts.glossaries.get(account.owner, glossary_id)
    return json_response(entries_reply(_dictionary_of(found, parameters.pair)))


@router.delete(
    "/v3/glossaries/{id}/dictionaries",
    summary="Delete the terms of one direction",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=_PAIR,
)
async def delete_dictionary(
    caller: CallerOf, glossary_id: GlossaryId, parameters: PairInput, parts: PartsOf
) -> Response:
    """The last direction of a glossary goes with the glossary alone."""
    account = await caller.account(parameters.auth_key)

    def change(found: StoredGlossary) -> StoredGlossary:
        return found.without(_dictionary_of(found, parameters.pair).pair)

    await parts.glossaries.change(account.owner, glossary_id, change)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _dictionaries(parameters: Sequence[DictionaryParameters]) -> list[Dictionary]:
    """The directions of a request, each named once."""
    found = [each.dictionary() for each in parameters]
    if len({meaning_of(each.pair) for each in found}) < len(found):
        raise InvalidRequestError("Invalid request: dictionaries has a pair of languages twice")
    return found


def _updated(
    found: StoredGlossary, name: str | None, dictionaries: Sequence[Dictionary]
) -> StoredGlossary:
    """A glossary with another name, unless that is None, and further terms."""
    for each in dictionaries:
        known = found.dictionary(each.pair)
        merged = each if known is None else known.merged(each.entries)
        found = found.with_dictionary(merged)
    return found if name is None else replace(found, name=name)


def _dictionary_of(found: StoredGlossary, pair: tuple[str, str]) -> Dictionary:
    dictionary = found.dictionary(pair)
    if dictionary is None:
        raise NotFoundError(f"the glossary has no terms from {pair[0]} to {pair[1]}")
    return dictionary


def _check_single(num_dictionaries: int) -> None:
    if num_dictionaries != 1:
        raise NotFoundError("the glossary has several pairs of languages: ask /v3/glossaries")


def _response(content: BaseModel, status: HTTPStatus) -> Response:
    response = json_response(content)
    response.status_code = status
    return response
