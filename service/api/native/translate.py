"""`POST /translate` of the native dialect, a superset of LibreTranslate's."""

from collections.abc import AsyncGenerator
from contextlib import nullcontext
from dataclasses import replace

from fastapi import APIRouter, Request, Response

from service.api.auth.repetition import declared_repetition
from service.api.dependencies import CallerOf, Parts, PartsOf, TranslateInput
from service.api.native.event_stream import EVENT_SCHEMA, EVENT_STREAM, Event, event_stream
from service.api.native.source_progress import SourceProgress
from service.api.openapi import FORM, JSON, REPETITION_PROBLEMS, problems, repeatable, request_body
from service.api.replies.json import json_response
from service.api.replies.translation import (
    TranslateReply,
    streamed_content,
    translation_content,
)
from service.api.requests.direct_route import DirectRoute
from service.api.requests.parameters import check_limits, timeout_s
from service.api.requests.schemas import AttentionOptions, TranslateParameters
from service.api.served_languages import AUTO
from service.engine.ablation import canonical
from service.inspection.values import AttentionSelection
from service.scheduling.limits import Client
from service.text.markup.passage import MarkupOptions
from service.text.masking.glossary import GlossaryEntry
from service.translation.values import TranslateRequest, TranslateResult

router = APIRouter(tags=["native"], route_class=DirectRoute)


@router.post(
    "/translate",
    summary="Translate a text or a list of texts",
    response_model=TranslateReply,
    responses={
        200: {
            "description": "The translation; with `stream` part by part, as events.",
            "content": {EVENT_STREAM: {"schema": EVENT_SCHEMA}},
        },
        **problems(400, 403, 408, 413, 429, 500, 503, 504),
        **REPETITION_PROBLEMS,
    },
    openapi_extra=repeatable(
        request_body(
            TranslateParameters,
            JSON,
            FORM,
            example={"q": "Good morning.", "source": "en", "target": "de"},
        )
    ),
)
async def translate(
    request: Request, caller: CallerOf, parts: PartsOf, parameters: TranslateInput
) -> Response:
    """Parameters come as JSON, or from form and query string together."""
    time_limit_s = timeout_s(parameters, parts.settings)
    account = await caller.account(parameters.api_key, within_s=time_limit_s)
    check_limits(parameters, parts.settings)
    asked = _translate_request(parameters, time_limit_s, account.client)
    if parameters.glossary_name is not None:
        pair = asked.source, asked.target
        terms = await parts.glossaries.named(account.owner, parameters.glossary_name, pair)
        asked = replace(asked, glossary=terms)
    num_chars = parameters.num_chars
    repetition = await declared_repetition(request)
    if parameters.stream:
        charge = await account.reserve(num_chars, repetition)
        return await event_stream(
            request,
            account.client,
            parts.in_flight,
            _events(asked, parts, parameters),
            charge,
            thread=parts.reply_thread,
        )
    async with account.charged(num_chars, repetition):
        return await parts.in_flight.run(request, account.client, _reply(asked, parts, parameters))


def selection_of(options: AttentionOptions) -> AttentionSelection:
    """The attention maps that a request selects."""
    return AttentionSelection(
        kinds=tuple(options.kinds),
        layers=None if options.layers is None else tuple(options.layers),
        heads=None if options.heads is None else tuple(options.heads),
        reduce=options.reduce,
        words=options.words,
        method=options.method,
        states=options.states,
    )


async def _reply(
    asked: TranslateRequest, parts: Parts, parameters: TranslateParameters
) -> Response:
    if asked.attention is None and not asked.without_heads:
        result = await parts.translator.translate(asked)
        if asked.with_search:  # thousands of candidates take long to serialise
            return await parts.reply_thread.run_apart(
                asked.client, _response, result, asked, parameters
            )
        num_chars = parameters.num_chars
        return await parts.reply_thread.run(
            asked.client, num_chars, _response, result, asked, parameters
        )
    async with parts.throttle.turn(asked.timeout_s, asked.client) as left_s:
        result = await parts.translator.translate(replace(asked, timeout_s=left_s))
        # Maps of a million cells take long to serialise.
        return await parts.reply_thread.run_apart(
            asked.client, _response, result, asked, parameters
        )


def _response(
    result: TranslateResult, asked: TranslateRequest, parameters: TranslateParameters
) -> Response:
    content = translation_content(
        result.translations,
        is_list=isinstance(parameters.q, list),
        with_detection=parameters.source == AUTO,
        with_alternatives=parameters.alternatives > 0,
        with_details=asked.with_scores,  # only details show scores
    )
    return json_response(content, result.times)


async def _events(
    asked: TranslateRequest, parts: Parts, parameters: TranslateParameters
) -> AsyncGenerator[Event, None]:
    has_maps = asked.attention is not None
    turn = (
        parts.throttle.turn(asked.timeout_s, asked.client)
        if has_maps
        else nullcontext(asked.timeout_s)
    )
    progress = SourceProgress(parameters.texts)
    async with turn as left_s:
        async for part in parts.translator.stream(replace(asked, timeout_s=left_s)):
            progress.add(part)
            content = streamed_content(part, with_details=parameters.with_details)
            yield Event(
                name="part", content=content, num_chars=progress.num_chars, is_large=has_maps
            )
    yield Event(name="done", content={}, num_chars=parameters.num_chars)


def _translate_request(
    parameters: TranslateParameters, time_limit_s: float, client: Client
) -> TranslateRequest:
    attention = parameters.attention
    return TranslateRequest(
        texts=parameters.texts,
        source=parameters.source,
        target=parameters.target,
        markup=MarkupOptions() if parameters.format == "html" else None,
        unwrap=parameters.unwrap,
        glossary=tuple(
            GlossaryEntry(source=term.source, target=term.target) for term in parameters.glossary
        ),
        with_alignment=parameters.alignment,
        beam_size=parameters.beam_size,
        length_penalty=parameters.length_penalty,
        max_target_tokens=parameters.max_target_tokens,
        max_length_factor=parameters.max_length_factor,
        min_target_tokens=parameters.min_target_tokens,
        no_repeat_ngram_size=parameters.no_repeat_ngram_size,
        prefixes=parameters.prefixes,
        num_alternatives=parameters.alternatives,
        attention=None if attention is None else selection_of(attention),
        with_search=parameters.search,
        without_heads=canonical(parameters.without_heads) if parameters.without_heads else (),
        with_scores=parameters.with_details,
        with_doubt=parameters.with_details,
        with_suggestions=parameters.with_details,
        timeout_s=time_limit_s,
        client=client,
    )
