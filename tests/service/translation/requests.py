"""Requests to a translator in this process, for one pair of a tiny model."""

import asyncio
from dataclasses import replace
from typing import TypedDict, Unpack

from service.engine.ablation import Heads
from service.inspection.values import (
    AttentionRequest,
    AttentionSelection,
    InspectedPair,
)
from service.translation.values import TranslateRequest, TranslateResult, Translation
from tests.service.tiny_models import Running


class Fields(TypedDict, total=False):
    """What a request may say beside its texts."""

    source: str
    target: str
    beam_size: int | None
    max_target_tokens: int | None
    num_alternatives: int
    with_scores: bool
    with_search: bool
    without_heads: Heads
    attention: AttentionSelection | None
    timeout_s: float | None


class AttentionFields(TypedDict, total=False):
    """Likewise for attention."""

    translations: tuple[str, ...] | None
    contrasts: tuple[str, ...] | None
    selection: AttentionSelection
    without_heads: Heads


def request_of(service: Running, *texts: str) -> TranslateRequest:
    return TranslateRequest(texts=texts, source=service.pair.source, target=service.pair.target)


def translate(service: Running, *texts: str, **fields: Unpack[Fields]) -> TranslateResult:
    request = replace(request_of(service, *texts), **fields)
    return asyncio.run(service.translator.translate(request))


def translate_one(service: Running, text: str, **fields: Unpack[Fields]) -> Translation:
    (translation,) = translate(service, text, **fields).translations
    return translation


def attend(service: Running, *texts: str, **fields: Unpack[AttentionFields]) -> list[InspectedPair]:
    source, target = service.pair.source, service.pair.target
    request = AttentionRequest(texts=texts, source=source, target=target, **fields)
    return asyncio.run(service.translator.attention(request))


def sentence_of(service: Running) -> str:
    return service.model.bundle.manifest.canary.source_text.strip()
