"""What a client asks before it translates: languages, settings, health, and what a text is in."""

from fastapi import APIRouter, Request, Response

from service.api.dependencies import DetectInput, PartsOf
from service.api.openapi import FORM, JSON, problems, request_body
from service.api.parameters import check_texts
from service.api.replies.translation import (
    DetectionReply,
    LanguageReply,
    SettingsReply,
    StatusReply,
    detection_content,
    json_response,
)
from service.api.schemas import DetectParameters
from service.api.served_languages import AUTO, described, target_languages
from service.documents.formats import FORMATS
from service.models.routes import Routes

FRONTEND_TIMEOUT_MS = 500
"""How long LibreTranslate's page waits after a key before it translates."""

router = APIRouter(tags=["native"])


@router.post(
    "/detect",
    summary="Tell the language of a text",
    response_model=list[DetectionReply],
    responses=problems(400, 403, 408, 413, 429, 503),
    openapi_extra=request_body(DetectParameters, JSON, FORM, example={"q": "Guten Morgen!"}),
)
async def detect(request: Request, parameters: DetectInput, parts: PartsOf) -> Response:
    """Of the languages that can be translated from, the likeliest first."""
    await parts.keys.account(request, parameters.api_key)
    check_texts([parameters.q], parts.settings)
    detections = await parts.gate.run(request, parts.translator.detect(parameters.q))
    return json_response([detection_content(detection) for detection in detections])


@router.get("/languages", summary="List the languages", response_model=list[LanguageReply])
async def languages(parts: PartsOf) -> Response:
    """Every language that can be translated from, and what it can be translated to."""
    routes = parts.registry.routes
    return json_response(
        [
            {**described(source), "targets": targets, **_pivots(routes, source)}
            for source, targets in routes.targets_by_source().items()
        ]
    )


def _pivots(routes: Routes, source: str) -> dict[str, dict[str, str]]:
    between = {
        target: by for (start, target), by in sorted(routes.pivots.items()) if start == source
    }
    return {"pivots": between} if between else {}


@router.get(
    "/frontend/settings", summary="What LibreTranslate's page asks", response_model=SettingsReply
)
async def frontend_settings(parts: PartsOf) -> Response:
    """Limits, whether a key is needed, and which files can be translated."""
    targets = target_languages(parts.registry)
    return json_response(
        {
            "charLimit": parts.settings.max_text_chars,
            "frontendTimeout": FRONTEND_TIMEOUT_MS,
            "apiKeys": parts.keys.are_required,
            "keyRequired": parts.keys.are_required,
            "suggestions": False,
            "filesTranslation": True,
            "supportedFilesFormat": list(FORMATS),
            "language": {
                "source": described(AUTO),
                "target": described(targets[0]) if targets else {"code": "", "name": ""},
            },
        }
    )


@router.get("/health", summary="LibreTranslate's health check", response_model=StatusReply)
async def health() -> Response:
    """Says that the process answers; `/readyz` says whether it can translate."""
    return json_response({"status": "ok"})
