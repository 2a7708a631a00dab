"""What routes depend on: the parts of the service, and validated parameters."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.api.auth.api_keys import ApiKeys
from service.api.in_flight import InFlight
from service.api.middleware.request_limit import RequestLimit
from service.api.parameters import parse_parameters, read_parameters
from service.api.schemas import AttentionParameters, DetectParameters, TranslateParameters
from service.documents.jobs import FileJobs
from service.inspection.throttle import Throttle
from service.models.registry import Registry
from service.models.reload import Reloader
from service.observability.metrics import Metrics
from service.observability.tracing import Tracing
from service.settings import Settings
from service.translation.translator import Translator


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that routes use; built once per process."""

    settings: Settings
    registry: Registry
    reloader: Reloader
    translator: Translator
    throttle: Throttle
    files: FileJobs
    metrics: Metrics
    tracing: Tracing
    in_flight: InFlight
    request_limit: RequestLimit
    keys: ApiKeys


async def _parts(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts), "set by create_app"
    return parts


async def _translate_parameters(request: Request) -> TranslateParameters:
    return parse_parameters(TranslateParameters, await read_parameters(request))


async def _detect_parameters(request: Request) -> DetectParameters:
    return parse_parameters(DetectParameters, await read_parameters(request))


async def _attention_parameters(request: Request) -> AttentionParameters:
    return parse_parameters(AttentionParameters, await read_parameters(request))


def path_value(name: str) -> Callable[[Request], Coroutine[None, None, str]]:
    """A dependency that returns a path parameter, for which FastAPI would document a 422."""

    async def value(request: Request) -> str:
        return str(request.path_params[name])

    return value


PartsOf = Annotated[Parts, Depends(_parts)]
TranslateInput = Annotated[TranslateParameters, Depends(_translate_parameters)]
DetectInput = Annotated[DetectParameters, Depends(_detect_parameters)]
AttentionInput = Annotated[AttentionParameters, Depends(_attention_parameters)]
