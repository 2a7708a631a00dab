"""An app whose translator is instant, so that tests see the HTTP side alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import httpx
import numpy as np
from fastapi import FastAPI
from starlette.types import ASGIApp

from service.api.dependencies import Parts
from service.inspection.contrast import contrasted
from service.inspection.replay import ReplayedCandidate, SearchReplay
from service.inspection.values import (
    AttentionMaps,
    AttentionRequest,
    InspectedPair,
    InspectedSentence,
    ScoredPair,
    ScoreRequest,
)
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.settings import load_settings
from service.text.alignment.word_links import WordLink
from service.text.checks import Check
from service.text.detection import Detection
from service.translation.translator import Translator
from service.translation.values import (
    SentenceTranslation,
    StageTimes,
    StreamedSentence,
    TranslatedWord,
    TranslateRequest,
    TranslateResult,
    Translation,
)

TIMES = StageTimes(tokenize=0.001, queue=0.002, encode=0.003, decode=0.004, detokenize=0.0005)

DETECTED = Detection(language="de", confidence=90.0)
SEARCH = SearchReplay(
    beam_size=1,
    length_penalty=0.6,
    stop="end",
    steps=(
        (
            ReplayedCandidate(
                prefix=0,
                token="</s>",
                probability=0.5,
                log_prob=-0.75,
                fate="ended",
                place=None,
                score=-0.75,
                is_result=True,
            ),
        ),
    ),
)
LINKS = (WordLink(source=(0, 5), target=(0, 5), weight=0.75),)


def maps_of(text: str) -> AttentionMaps:
    """Two layers, one head; every target token looks at all source tokens alike."""
    tokens = (*text.split(), "</s>")
    size = len(tokens)
    return AttentionMaps(
        source_tokens=tokens,
        target_tokens=tokens,
        maps={"cross": np.full((2, 1, size, size), 1 / size, dtype=np.float32)},
        alignment=np.full((size, size), 1 / size, dtype=np.float32),
        token_log_probs=(-0.5,) * size,
    )


class UpperCaser:
    """Stands for the translator: writes everything in capitals, remembers what was asked."""

    def __init__(self, before: Callable[[], Awaitable[None]] | None = None) -> None:
        self.requests: list[TranslateRequest | AttentionRequest] = []
        self.cancelled = 0
        self._before = before

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        await self._begin(request)
        return TranslateResult(
            translations=tuple(self._translation(text, request) for text in request.texts),
            times=TIMES,
        )

    async def stream(self, request: TranslateRequest) -> AsyncIterator[StreamedSentence]:
        for index, text in enumerate(request.texts):
            await self._begin(request)
            translation = self._translation(text, request)
            yield StreamedSentence(
                text_index=index, text=translation.text, sentences=translation.sentences
            )

    async def warm(self) -> None:
        """Nothing has to be loaded."""

    async def detect(self, text: str) -> list[Detection]:
        return [DETECTED, Detection(language="en", confidence=10.0)]

    async def attention(self, request: AttentionRequest) -> list[InspectedPair]:
        await self._begin(request)
        given = request.translations or tuple(text.upper() for text in request.texts)
        pairs = [self._pair(*pair) for pair in zip(request.texts, given, strict=True)]
        if request.contrasts is None:
            return pairs
        others = [self._pair(*pair) for pair in zip(request.texts, request.contrasts, strict=True)]
        return [contrasted(*each) for each in zip(pairs, others, strict=True)]

    async def score(self, request: ScoreRequest) -> list[ScoredPair]:
        return [
            ScoredPair(target_tokens=(target, "</s>"), token_log_probs=(-0.5, -0.5))
            for _, target in request.pairs
        ]

    async def _begin(self, request: TranslateRequest | AttentionRequest) -> None:
        self.requests.append(request)
        try:
            if self._before is not None:
                await self._before()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def _translation(self, text: str, request: TranslateRequest) -> Translation:
        sentence = SentenceTranslation(
            source=text,
            translation=text.upper(),
            source_span=(0, len(text)),
            target_span=(0, len(text)),
            source_tokens=(*text.split(), "</s>"),
            target_tokens=(*text.upper().split(), "</s>"),
            score=-1.5,
            token_log_probs=(-0.5,) * (len(text.split()) + 1),
            finish_reason="stop",
            truncated=False,
            confidence=0.75,
            words=(TranslatedWord(text=text.upper(), start=0, end=len(text), doubt=True),),
            checks=(Check(name="copied", source_span=(0, 1), target_span=(0, 1), message="same"),),
            alignment=LINKS if request.with_alignment else None,
            attention=maps_of(text) if request.attention else None,
            search=SEARCH if request.with_search else None,
        )
        others = tuple(f"{text.upper()} {n}" for n in range(request.num_alternatives))
        return Translation(
            text=text.upper(),
            detected=DETECTED if request.source == "auto" else None,
            alternatives=others,
            sentences=(sentence,),
        )

    def _pair(self, source: str, translation: str) -> InspectedPair:
        sentences = tuple(
            InspectedSentence(
                source=part,
                translation=translation,
                source_span=(0, len(part)),
                target_span=(0, len(translation)),
                links=LINKS,
                attention=maps_of(part),
            )
            for part in source.split(". ")
        )
        return InspectedPair(source=source, translation=translation, sentences=sentences)


def app_with(translator: UpperCaser, **settings: object) -> FastAPI:
    """The real app around `translator`, without models."""
    # A test may be refused as often as it likes.
    given = {"max_refusals_per_s": 1_000_000, **settings}
    app = create_app(load_settings(given), Registry(()), Metrics())
    app.state.parts = replace(parts_of(app), translator=cast(Translator, translator))
    return app


def parts_of(app: FastAPI) -> Parts:
    """What the app is made of."""
    parts = app.state.parts
    assert isinstance(parts, Parts)
    return parts


def ask(
    app: ASGIApp,
    method: str,
    path: str,
    **options: Any,  # noqa: ANN401 - httpx's own
) -> httpx.Response:
    """One request to the app, without a socket."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **options)

    return asyncio.run(send())
