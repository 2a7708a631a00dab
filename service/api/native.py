"""The native dialect: a superset of LibreTranslate's."""

from fastapi import APIRouter, Request, Response

from service.api.dependencies import PartsOf, TranslateInput
from service.api.language_names import name_of
from service.api.limits import check_limits, timeout_s
from service.api.openapi import FORM, JSON, problems, request_body
from service.api.replies import (
    LanguageReply,
    StatusReply,
    TranslateReply,
    json_response,
    translation_content,
)
from service.api.schemas import AttentionOptions, TranslateParameters
from service.settings import Settings
from service.translation import AttentionSelection, TranslateRequest

router = APIRouter(tags=["native"])


@router.post(
    "/translate",
    summary="Translate a text or a list of texts",
    response_model=TranslateReply,
    responses=problems(400, 413, 429, 500, 503, 504),
    openapi_extra=request_body(TranslateParameters, JSON, FORM),
)
async def translate(request: Request, parameters: TranslateInput, parts: PartsOf) -> Response:
    """Parameters come as JSON, or from form and query string together."""
    check_limits(parameters, parts.settings)
    work = parts.translator.translate(_translate_request(parameters, parts.settings))
    result = await parts.gate.run(request, work)
    content = translation_content(
        result.translations,
        is_list=isinstance(parameters.q, list),
        with_alternatives=parameters.alternatives > 0,
        with_details=parameters.details or parameters.attention is not None,
    )
    return json_response(content, result.times)


@router.get("/languages", summary="List the languages", response_model=list[LanguageReply])
async def languages(parts: PartsOf) -> Response:
    """Every language that can be translated from, and what it can be translated to."""
    targets: dict[str, list[str]] = {}
    for model in parts.registry.models:
        for pair in model.bundle.manifest.pairs:
            targets.setdefault(pair.source, []).append(pair.target)
    return json_response(
        [
            {"code": code, "name": name_of(code), "targets": sorted(targets[code])}
            for code in sorted(targets)
        ]
    )


@router.get("/health", summary="LibreTranslate's health check", response_model=StatusReply)
async def health() -> Response:
    """Says that the process answers; `/readyz` says whether it can translate."""
    return json_response({"status": "ok"})


def selection_of(options: AttentionOptions) -> AttentionSelection:
    """The maps that a request asks for."""
    return AttentionSelection(
        kinds=tuple(options.kinds),
        layers=None if options.layers is None else tuple(options.layers),
        heads=None if options.heads is None else tuple(options.heads),
        reduce=options.reduce,
    )


def _translate_request(parameters: TranslateParameters, settings: Settings) -> TranslateRequest:
    attention = parameters.attention
    return TranslateRequest(
        texts=parameters.texts,
        source=parameters.source,
        target=parameters.target,
        beam_size=parameters.beam_size,
        length_penalty=parameters.length_penalty,
        max_target_tokens=parameters.max_target_tokens,
        max_length_factor=parameters.max_length_factor,
        min_target_tokens=parameters.min_target_tokens,
        no_repeat_ngram_size=parameters.no_repeat_ngram_size,
        prefixes=parameters.prefixes,
        num_alternatives=parameters.alternatives,
        attention=None if attention is None else selection_of(attention),
        with_scores=parameters.details or attention is not None,
        timeout_s=timeout_s(parameters, settings),
    )
