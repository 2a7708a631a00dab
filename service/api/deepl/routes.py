"""Routes of DeepL's API, version 2, as its official clients use it."""

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from bundle.languages import best_match
from service.api.auth.repetition import deepl_repetition
from service.api.deepl.schemas import (
    DeeplLanguage,
    DeeplLanguagesParameters,
    DeeplTranslateParameters,
    DeeplTranslateReply,
    DeeplTranslation,
    DeeplUsage,
)
from service.api.dependencies import CallerOf, Parts, PartsOf, parameters_of
from service.api.openapi import FORM, JSON, problems, request_body
from service.api.refusals.problems import QUOTA_EXCEEDED, DeeplProblem
from service.api.replies.json import json_response
from service.api.requests.direct_route import DirectRoute
from service.api.requests.parameters import check_texts
from service.api.served_languages import AUTO, target_languages, targets_by_source
from service.scheduling.limits import Client
from service.text.language_names import name_of
from service.translation.values import TranslateRequest, Translation

TIMEOUT_S = 9.0
"""The official client times out after ten seconds and repeats the request."""
_TARGETS = {
    "en": {"EN-GB": "English (British)", "EN-US": "English (American)"},
    "pt": {"PT-BR": "Portuguese (Brazilian)", "PT-PT": "Portuguese (European)"},
}
"""Target languages that need a region: DeepL's clients refuse a plain `EN`."""
_LISTS = ("text", "ignore_tags", "splitting_tags", "non_splitting_tags")
_EXAMPLE = {"text": ["Good morning."], "source_lang": "EN", "target_lang": "DE"}

router = APIRouter(tags=["deepl"], route_class=DirectRoute)


TranslateInput = Annotated[
    DeeplTranslateParameters, Depends(parameters_of(DeeplTranslateParameters, lists=_LISTS))
]
LanguagesInput = Annotated[
    DeeplLanguagesParameters, Depends(parameters_of(DeeplLanguagesParameters))
]
"""The official client sends GET with a form body, others the query string."""


@router.post(
    "/v2/translate",
    summary="Translate texts",
    response_model=DeeplTranslateReply,
    responses=problems(400, 403, 404, 429, QUOTA_EXCEEDED, 503, model=DeeplProblem),
    openapi_extra=request_body(DeeplTranslateParameters, JSON, FORM, example=_EXAMPLE),
)
async def translate(
    request: Request, caller: CallerOf, parameters: TranslateInput, parts: PartsOf
) -> Response:
    """Every character of every text counts for the key, once for all attempts of a request."""
    account = await caller.account(parameters.auth_key, within_s=_timeout_s(parts))
    check_texts(parameters.texts, parts.settings, name="text")
    asked = _translate_request(parameters, parts, account.client)
    if parameters.glossaries:
        pair = asked.source, asked.target
        terms = await parts.glossaries.by_ids(account.owner, parameters.glossaries, pair)
        asked = replace(asked, glossary=terms)
    num_chars = sum(map(len, parameters.texts))
    async with account.charged(num_chars, await deepl_repetition(request)):
        result = await parts.in_flight.run(
            request, account.client, parts.translator.translate(asked)
        )
    both = zip(parameters.texts, result.translations, strict=True)
    source = best_match(asked.source, targets_by_source(parts.registry)) or asked.source
    reply = DeeplTranslateReply(translations=[_translation(text, t, source) for text, t in both])
    return json_response(reply, result.times)


@router.get(
    "/v2/languages",
    summary="List the languages",
    response_model=list[DeeplLanguage],
    responses=problems(400, 403, 429, 503, model=DeeplProblem),
    openapi_extra={
        "parameters": [
            {
                "name": "type",
                "in": "query",
                "description": "Languages to translate from, or to.",
                "schema": {"enum": ["source", "target"], "default": "source"},
            }
        ]
    },
)
async def languages(caller: CallerOf, parameters: LanguagesInput, parts: PartsOf) -> Response:
    """To translate from, or to."""
    await caller.account(parameters.auth_key)
    if parameters.type == "source":
        names = source_names(targets_by_source(parts.registry))
    else:
        names = target_names(target_languages(parts.registry))
    return json_response(
        [
            DeeplLanguage(language=code, name=name, supports_formality=False)
            for code, name in names.items()
        ]
    )


@router.get(
    "/v2/usage",
    summary="What was translated with a key",
    response_model=DeeplUsage,
    responses=problems(403, 429, 503, model=DeeplProblem),
)
async def usage(request: Request, parts: PartsOf) -> Response:
    """Since the month began, or without a key store the process, whatever the dialect."""
    account = await parts.keys.account(request, request.query_params.get("auth_key"))
    return json_response(
        DeeplUsage(character_count=await account.num_chars(), character_limit=account.max_chars)
    )


def to_deepl(code: str) -> str:
    """DeepL's code for a source language, which has no region."""
    return code.partition("-")[0].upper()


def source_names(codes: Collection[str]) -> dict[str, str]:
    """Names of source languages by DeepL's code."""
    return {to_deepl(code): name_of(code.partition("-")[0]) for code in codes}


def target_names(codes: Collection[str]) -> dict[str, str]:
    """Names of target languages by DeepL's code; the regions of a language share a model."""
    names: dict[str, str] = {}
    for code in codes:
        names |= _TARGETS.get(code, {code.upper(): name_of(code)})
    return names


def _translate_request(
    parameters: DeeplTranslateParameters, parts: Parts, client: Client
) -> TranslateRequest:
    markup = parameters.markup
    return TranslateRequest(
        texts=parameters.texts,
        source=AUTO if parameters.source_lang is None else parameters.source_lang,
        target=parameters.target_lang,
        markup=markup,
        splitting="none" if parameters.split_sentences == "0" else "sentences",
        unwrap=parameters.split_sentences == "nonewlines" and markup is None,
        with_scores=False,
        timeout_s=_timeout_s(parts),
        client=client,
    )


def _timeout_s(parts: Parts) -> float:
    return min(TIMEOUT_S, parts.settings.deadline_ms / 1000)


def _translation(text: str, translation: Translation, source: str) -> DeeplTranslation:
    detected = translation.detected
    return DeeplTranslation(
        detected_source_language=to_deepl(detected.language if detected else source),
        text=translation.text,
        # The official client fails without it, even if it did not ask for it.
        billed_characters=len(text),
    )
