"""`translate_a/single`, which KOReader, Pot, Kiss Translator and googletrans call."""

from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from bundle.languages import best_match
from service.api.dependencies import Caller, Parts, PartsOf, parameters_of
from service.api.dialects.google.schemas import GoogleSingleParameters
from service.api.dialects.keys import caller_with_key
from service.api.dialects.translation import AskedTexts, translate_texts
from service.api.openapi import FORM, JSON, problems, query_parameters, request_body
from service.api.refusals.problems import GoogleProblem
from service.api.replies.json import Json, json_response
from service.api.served_languages import AUTO, web_code
from service.errors import UnsupportedLanguageError
from service.text.detection import Detection
from service.translation.values import StageTimes, Translation

PATH = "/translate_a/single"
_CERTAIN = 100.0
_EXAMPLE = [[["Guten Morgen.", "Good morning.", None, None, 1]], None, "en"]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Pairs of sentences, null, the language of the text; with `dj=1` an object "
        "of `sentences` and `src`.",
        "content": {
            JSON: {
                "schema": {"anyOf": [{"type": "array"}, {"type": "object"}]},
                "example": _EXAMPLE,
            }
        },
    },
    **problems(400, 403, 408, 413, 429, 500, 503, 504, model=GoogleProblem),
}

Pair = tuple[str, str]
"""A piece of the translation, and what it was."""


CallerOf = Annotated[Caller, Depends(caller_with_key(query="key", header="X-Goog-Api-Key"))]
ParametersOf = Annotated[
    GoogleSingleParameters, Depends(parameters_of(GoogleSingleParameters, guesses_json=True))
]

router = APIRouter(tags=["google"])


@router.get(
    PATH,
    summary="Translate a text in the address, sentence by sentence",
    responses=_RESPONSES,
    openapi_extra=query_parameters(GoogleSingleParameters, q="Good morning.", sl="en", tl="de"),
)
async def translate_single(
    request: Request, caller: CallerOf, parameters: ParametersOf, parts: PartsOf
) -> Response:
    """The first items of the pairs, joined, are the translation."""
    return await _reply(request, caller, parameters, parts)


@router.post(
    PATH,
    summary="Translate a text, sentence by sentence",
    responses=_RESPONSES,
    openapi_extra=request_body(
        GoogleSingleParameters, FORM, example={"q": "Good morning.", "sl": "en", "tl": "de"}
    ),
)
async def translate_single_form(
    request: Request, caller: CallerOf, parameters: ParametersOf, parts: PartsOf
) -> Response:
    """As GET, for texts that are too long for an address."""
    return await _reply(request, caller, parameters, parts)


async def _reply(
    request: Request, caller: Caller, parameters: GoogleSingleParameters, parts: Parts
) -> Response:
    asked = AskedTexts(
        texts=(parameters.q,),
        source=parameters.sl,
        target=parameters.tl,
        key=parameters.key,
        name="q",
    )
    try:
        answer = await translate_texts(request, caller, parts, asked)
    except UnsupportedLanguageError:
        detected = await _already_in_target(parameters, parts)
        if detected is None:
            raise
        return _response(parameters, [(parameters.q, parameters.q)], detected, StageTimes())
    (translation,), (source,) = answer.translations, answer.sources
    detected = translation.detected or Detection(language=source, confidence=_CERTAIN)
    return _response(parameters, sentence_pairs(parameters.q, translation), detected, answer.times)


def sentence_pairs(text: str, translation: Translation) -> list[Pair]:
    """Sentences with what stands between them and the next: joined they are the whole texts."""
    sentences = translation.sentences
    if not sentences:
        return [(translation.text, text)]
    sources = [0, *(s.source_span[0] for s in sentences[1:]), len(text)]
    targets = [0, *(s.target_span[0] for s in sentences[1:]), len(translation.text)]
    return [
        (translation.text[slice(*target)], text[slice(*source)])
        for target, source in zip(pairwise(targets), pairwise(sources), strict=True)
    ]


async def _already_in_target(parameters: GoogleSingleParameters, parts: Parts) -> Detection | None:
    """The language of a text that nothing translates to its target because it is there.

    Clients find the language of a text out by a translation to any language.
    """
    if parameters.sl != AUTO:
        return None
    likeliest = (await parts.translator.detect(parameters.q))[0]
    is_there = best_match(parameters.tl, [likeliest.language]) is not None
    return likeliest if is_there else None


def _response(
    parameters: GoogleSingleParameters,
    pairs: list[Pair],
    detected: Detection,
    times: StageTimes,
) -> Response:
    source = web_code(detected.language)
    confidence = detected.confidence / 100
    if parameters.dj == "1":
        return json_response(_object(pairs, source, confidence), times)
    # Places 5 and 7 are for alternatives and corrections of the text.
    return json_response(
        [
            [[translated, text, None, None, 1] for translated, text in pairs],
            *(None, source, None, None, None, confidence, None),
            [[source], None, [confidence], [source]],
        ],
        times,
    )


def _object(pairs: list[Pair], source: str, confidence: float) -> Json:
    return {
        "sentences": [{"trans": translated, "orig": text} for translated, text in pairs],
        "src": source,
        "confidence": confidence,
    }
