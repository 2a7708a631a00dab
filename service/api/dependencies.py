"""What routes are given: the parts of the service, and checked parameters."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.api.gate import Gate
from service.api.parameters import parse_parameters, read_parameters
from service.api.schemas import AttentionParameters, TranslateParameters
from service.registry import Registry
from service.settings import Settings
from service.telemetry import Metrics
from service.translator import Translator


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a route may need, made once per process."""

    settings: Settings
    registry: Registry
    translator: Translator
    metrics: Metrics
    gate: Gate


async def _parts(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts), "create_app puts them there"
    return parts


async def _translate_parameters(request: Request) -> TranslateParameters:
    return parse_parameters(TranslateParameters, await read_parameters(request))


async def _attention_parameters(request: Request) -> AttentionParameters:
    return parse_parameters(AttentionParameters, await read_parameters(request))


PartsOf = Annotated[Parts, Depends(_parts)]
TranslateInput = Annotated[TranslateParameters, Depends(_translate_parameters)]
AttentionInput = Annotated[AttentionParameters, Depends(_attention_parameters)]
