"""Detects the language of texts whose source is `auto`, among the served languages."""

import asyncio
from collections.abc import Sequence

from bundle.manifest import LanguagePair
from service.models.registry import Registry
from service.text.detection import Detection, Detector
from service.text.unicode import check_unicode
from service.translation.values import TranslateRequest

AUTO = "auto"


class LanguageFinder:
    """Detects languages; loads each detector on first use; used from one event loop."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._detectors: dict[tuple[str, ...], asyncio.Future[Detector]] = {}

    async def detect(self, request: TranslateRequest) -> list[Detection]:
        """The language of every text of a request whose source is `auto`.

        Only languages that can be translated to the request's target are considered.

        Raises:
            UnsupportedLanguageError: No language is translated to the target.
            InvalidRequestError: A text is not valid Unicode.
        """
        sources = self._registry.routes.sources_of(request.target)
        if not sources:
            raise self._registry.routes.unsupported_target(request.target)
        return [(await self._rank(text, sources))[0] for text in request.texts]

    async def rank(self, text: str) -> list[Detection]:
        """All served languages, likeliest first.

        Raises:
            InvalidRequestError: The text is not valid Unicode.
        """
        pairs = self._pairs()
        languages = {language for pair in pairs for language in (pair.source, pair.target)}
        return await self._rank(text, sorted(languages))

    async def _rank(self, text: str, languages: Sequence[str]) -> list[Detection]:
        check_unicode(text)
        detector = await self._detector(tuple(languages))
        return await asyncio.to_thread(detector.detect, text)

    async def _detector(self, languages: tuple[str, ...]) -> Detector:
        # Loading takes over a second; requests that arrive meanwhile share it.
        if languages not in self._detectors:
            loading = asyncio.ensure_future(asyncio.to_thread(Detector, languages))
            self._detectors[languages] = loading
        return await asyncio.shield(self._detectors[languages])

    def _pairs(self) -> list[LanguagePair]:
        return [pair for each in self._registry.served for pair in each.bundle.manifest.pairs]
