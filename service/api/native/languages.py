"""Languages, language detection, and what LibreTranslate's clients ask at their start."""

from fastapi import APIRouter, Request, Response

from service.api.dependencies import CallerOf, DetectInput, PartsOf
from service.api.openapi import FORM, JSON, problems, request_body
from service.api.operations.probes import StatusReply
from service.api.replies.json import Reply, content_of, json_response
from service.api.replies.translation import DetectionReply
from service.api.requests.direct_route import DirectRoute
from service.api.requests.parameters import check_texts
from service.api.requests.schemas import DetectParameters
from service.api.served_languages import AUTO, target_languages
from service.documents.formats import readable_formats
from service.models.routes import Routes
from service.text.language_names import name_of

FRONTEND_TIMEOUT_MS = 500
"""Delay between a key press and the translation in LibreTranslate's page."""


class LanguageReply(Reply):
    """A language that can be translated from."""

    code: str
    """BCP-47 code."""
    name: str
    """In English."""
    targets: list[str]
    """Codes of the languages that it can be translated to."""
    pivots: dict[str, str] | None = None
    """For each of those targets that no model translates to by itself, the language between; only
    where there are any."""


class NamedLanguage(Reply):
    """A language for people who choose from a list."""

    code: str
    """BCP-47 code."""
    name: str
    """In English."""


class LanguageChoice(Reply):
    """What is chosen at first."""

    source: NamedLanguage
    """Language of the text."""
    target: NamedLanguage
    """Language of the translation."""


class SettingsReply(Reply):
    """What LibreTranslate's page wants to know; the names are its own."""

    charLimit: int  # noqa: N815
    """Characters of a request."""
    frontendTimeout: int  # noqa: N815
    """How long to wait after a key, milliseconds."""
    apiKeys: bool  # noqa: N815
    """Whether keys exist."""
    keyRequired: bool  # noqa: N815
    """Whether a request without a key is refused."""
    suggestions: bool
    """Whether better translations can be suggested."""
    filesTranslation: bool  # noqa: N815
    """Whether files can be translated."""
    supportedFilesFormat: list[str]  # noqa: N815
    """Suffixes of files that can be translated."""
    language: LanguageChoice
    """The languages of an empty page."""


router = APIRouter(tags=["native"], route_class=DirectRoute)


@router.post(
    "/detect",
    summary="Tell the language of a text",
    response_model=list[DetectionReply],
    responses=problems(400, 403, 408, 413, 429, 503),
    openapi_extra=request_body(DetectParameters, JSON, FORM, example={"q": "Guten Morgen!"}),
)
async def detect(
    request: Request, caller: CallerOf, parameters: DetectInput, parts: PartsOf
) -> Response:
    """Of the languages that can be translated from, the likeliest first."""
    account = await caller.account(parameters.api_key)
    check_texts([parameters.q], parts.settings)
    detections = await parts.in_flight.run(
        request, account.client, parts.translator.detect(parameters.q)
    )
    return json_response([content_of(DetectionReply, detection) for detection in detections])


@router.get("/languages", summary="List the languages", response_model=list[LanguageReply])
async def languages(parts: PartsOf) -> Response:
    """Every language that can be translated from, and what it can be translated to."""
    routes = parts.registry.routes
    return json_response(
        [
            LanguageReply(
                code=source,
                name=name_of(source),
                targets=targets,
                pivots=_pivots(routes, source) or None,
            )
            for source, targets in routes.targets_by_source().items()
        ]
    )


@router.get(
    "/frontend/settings", summary="What LibreTranslate's page asks", response_model=SettingsReply
)
async def frontend_settings(parts: PartsOf) -> Response:
    """Limits, whether a key is needed, and which files can be translated."""
    targets = target_languages(parts.registry)
    target = _named(targets[0]) if targets else NamedLanguage(code="", name="")
    return json_response(
        SettingsReply(
            charLimit=parts.settings.max_text_chars,
            frontendTimeout=FRONTEND_TIMEOUT_MS,
            apiKeys=parts.keys.are_required,
            keyRequired=parts.keys.are_required,
            suggestions=parts.suggestions is not None or parts.memory is not None,
            filesTranslation=True,
            supportedFilesFormat=readable_formats(),
            language=LanguageChoice(source=_named(AUTO), target=target),
        )
    )


@router.get("/health", summary="LibreTranslate's health check", response_model=StatusReply)
async def health() -> Response:
    """Says that the process answers; `/readyz` says whether it can translate."""
    return json_response(StatusReply(status="ok"))


def _pivots(routes: Routes, source: str) -> dict[str, str]:
    """The language in between, by target, for targets without a direct model."""
    pivots = sorted(routes.pivots.items())
    return {target: between for (start, target), between in pivots if start == source}


def _named(code: str) -> NamedLanguage:
    return NamedLanguage(code=code, name="Auto Detect" if code == AUTO else name_of(code))
