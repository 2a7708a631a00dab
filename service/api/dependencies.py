"""What routes are given: the parts of the service, and checked parameters."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.api.auth.api_keys import ApiKeys
from service.api.backend import TranslationBackend
from service.api.in_flight import Gate
from service.api.middleware.request_limit import RequestRoom
from service.api.parameters import parse_parameters, read_parameters
from service.api.schemas import AttentionParameters, DetectParameters, TranslateParameters
from service.documents.jobs import FileJobs
from service.inspection.throttle import Throttle
from service.models.interfaces import Catalogue, Reloading
from service.observability.metrics import Metrics
from service.observability.tracing import Tracing
from service.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a route may need, made once per process."""

    settings: Settings
    registry: Catalogue
    reloader: Reloading
    translator: TranslationBackend
    throttle: Throttle
    files: FileJobs
    metrics: Metrics
    tracing: Tracing
    gate: Gate
    room: RequestRoom
    keys: ApiKeys


async def _parts(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts), "create_app puts them there"
    return parts


async def _translate_parameters(request: Request) -> TranslateParameters:
    return parse_parameters(TranslateParameters, await read_parameters(request))


async def _detect_parameters(request: Request) -> DetectParameters:
    return parse_parameters(DetectParameters, await read_parameters(request))


async def _attention_parameters(request: Request) -> AttentionParameters:
    return parse_parameters(AttentionParameters, await read_parameters(request))


def path_value(name: str) -> Callable[[Request], Coroutine[None, None, str]]:
    """A dependency: part of the address, of which FastAPI would say that it may give a 422."""

    async def value(request: Request) -> str:
        return str(request.path_params[name])

    return value


PartsOf = Annotated[Parts, Depends(_parts)]
TranslateInput = Annotated[TranslateParameters, Depends(_translate_parameters)]
DetectInput = Annotated[DetectParameters, Depends(_detect_parameters)]
AttentionInput = Annotated[AttentionParameters, Depends(_attention_parameters)]
