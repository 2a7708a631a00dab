"""What routes depend on: the parts of the service, and validated parameters."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request

from service.api.auth.api_keys import ApiKeys
from service.api.in_flight import InFlight
from service.api.middleware.request_limit import RequestLimit
from service.api.parameters import parse_parameters, read_parameters
from service.api.schemas import AttentionParameters, DetectParameters, TranslateParameters
from service.documents.jobs.file_jobs import FileJobs
from service.inspection.throttle import Throttle
from service.inspection.values import AttentionRequest, InspectedPair, ScoredPair, ScoreRequest
from service.models.interfaces import ModelRegistry, Reloading
from service.observability.metrics import Metrics
from service.observability.tracing import Tracing
from service.settings import Settings
from service.text.detection import Detection
from service.translation.values import StreamedSentence, TranslateRequest, TranslateResult


class TranslationBackend(Protocol):
    """Translates and inspects, in this process or in a cluster; for one event loop."""

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        """Translate all texts of a request; fails as a whole."""

    def stream(self, request: TranslateRequest) -> AsyncIterator[StreamedSentence]:
        """Translate texts one after another, a few sentences at a time."""

    async def detect(self, text: str) -> list[Detection]:
        """Candidate source languages of a text, most probable first."""

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        """Attention maps for every text of a request, in order."""

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        """Log-probabilities of given translations, in order."""

    def close(self) -> None:
        """Cancel what is waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The models in this process or in a cluster, with what translates with and replaces them."""

    registry: ModelRegistry
    translator: TranslationBackend
    reloader: Reloading


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that routes use; built once per process."""

    settings: Settings
    registry: ModelRegistry
    reloader: Reloading
    translator: TranslationBackend
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
