"""Cloud Translation's REST interface, version 2, as Google's own client libraries use it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.api.dependencies import Caller, PartsOf, parameters_of
from service.api.dialects.google.schemas import (
    GoogleDetection,
    GoogleDetections,
    GoogleDetectParameters,
    GoogleDetectReply,
    GoogleLanguage,
    GoogleLanguages,
    GoogleLanguagesParameters,
    GoogleLanguagesReply,
    GoogleTranslateParameters,
    GoogleTranslateReply,
    GoogleTranslation,
    GoogleTranslations,
)
from service.api.dialects.keys import caller_with_key
from service.api.dialects.translation import AskedTexts, TranslatedTexts, translate_texts
from service.api.openapi import FORM, JSON, problems, query_parameters, request_body
from service.api.refusals.problems import GoogleProblem
from service.api.replies.json import json_response
from service.api.requests.parameters import check_texts
from service.api.served_languages import AUTO, targets_by_source, web_code
from service.text.language_names import name_of
from service.text.markup.passage import MarkupOptions

PATH = "/language/translate/v2"
_LISTS = ("q",)
_PROBLEMS = problems(400, 403, 408, 413, 429, 500, 503, 504, model=GoogleProblem)


CallerOf = Annotated[Caller, Depends(caller_with_key(query="key", header="X-Goog-Api-Key"))]
TranslateInput = Annotated[
    GoogleTranslateParameters,
    Depends(parameters_of(GoogleTranslateParameters, lists=_LISTS, guesses_json=True)),
]
DetectInput = Annotated[
    GoogleDetectParameters,
    Depends(parameters_of(GoogleDetectParameters, lists=_LISTS, guesses_json=True)),
]
LanguagesInput = Annotated[
    GoogleLanguagesParameters, Depends(parameters_of(GoogleLanguagesParameters, guesses_json=True))
]

router = APIRouter(tags=["google"])


@router.post(
    PATH,
    summary="Translate texts",
    response_model=GoogleTranslateReply,
    responses=_PROBLEMS,
    openapi_extra=request_body(
        GoogleTranslateParameters,
        JSON,
        FORM,
        example={"q": ["Good morning."], "source": "en", "target": "de", "format": "text"},
    ),
)
async def translate(
    request: Request, caller: CallerOf, parameters: TranslateInput, parts: PartsOf
) -> Response:
    """Parameters come as JSON, or from form and query string together."""
    asked = AskedTexts(
        texts=parameters.texts,
        source=parameters.source,
        target=parameters.target,
        markup=MarkupOptions() if parameters.format == "html" else None,
        key=parameters.key,
        name="q",
    )
    answer = await translate_texts(request, caller, parts, asked)
    translations = _translations(answer, is_detected=parameters.source == AUTO)
    return json_response(
        GoogleTranslateReply(data=GoogleTranslations(translations=translations)), answer.times
    )


@router.get(
    PATH,
    summary="Translate texts in the address",
    response_model=GoogleTranslateReply,
    responses=_PROBLEMS,
    openapi_extra=query_parameters(
        GoogleTranslateParameters, q="Good morning.", source="en", target="de"
    ),
)
async def translate_query(
    request: Request, caller: CallerOf, parameters: TranslateInput, parts: PartsOf
) -> Response:
    """As POST; an address has room for less."""
    return await translate(request, caller, parameters, parts)


@router.post(
    PATH + "/detect",
    summary="Tell the languages of texts",
    response_model=GoogleDetectReply,
    responses=_PROBLEMS,
    openapi_extra=request_body(
        GoogleDetectParameters, JSON, FORM, example={"q": ["Guten Morgen!"]}
    ),
)
async def detect(
    request: Request, caller: CallerOf, parameters: DetectInput, parts: PartsOf
) -> Response:
    """The likeliest language of each text, of those that are served."""
    account = await caller.account(parameters.key)
    check_texts(parameters.texts, parts.settings)
    detections = []
    for text in parameters.texts:
        work = parts.translator.detect(text)
        likeliest = (await parts.in_flight.run(request, account.client, work))[0]
        detections.append(
            GoogleDetection(
                language=web_code(likeliest.language), confidence=likeliest.confidence / 100
            )
        )
    found = GoogleDetections(detections=[[each] for each in detections])
    return json_response(GoogleDetectReply(data=found))


@router.get(
    PATH + "/languages",
    summary="List the languages",
    response_model=GoogleLanguagesReply,
    responses=problems(400, 403, 429, 503, model=GoogleProblem),
    openapi_extra=query_parameters(GoogleLanguagesParameters, target="en"),
)
async def languages(caller: CallerOf, parameters: LanguagesInput, parts: PartsOf) -> Response:
    """Languages that are translated from, or to."""
    await caller.account(parameters.key)
    served = targets_by_source(parts.registry)
    codes = sorted({*served, *(target for targets in served.values() for target in targets)})
    has_names = parameters.target is not None
    found = [
        GoogleLanguage(language=web_code(code), name=name_of(code) if has_names else None)
        for code in codes
    ]
    return json_response(GoogleLanguagesReply(data=GoogleLanguages(languages=found)))


def _translations(answer: TranslatedTexts, *, is_detected: bool) -> list[GoogleTranslation]:
    return [
        GoogleTranslation(
            translatedText=translation.text,
            detectedSourceLanguage=web_code(source) if is_detected else None,
        )
        for translation, source in zip(answer.translations, answer.sources, strict=True)
    ]
