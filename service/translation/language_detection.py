"""Detects the language of texts whose source is `auto`, among the served languages."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bundle.manifest import LanguagePair
from service.errors import UnsupportedLanguageError
from service.models.registry import Registry
from service.text.detection import MAX_SEARCHED, Detection, Detector
from service.text.language_names import name_of
from service.text.markup.passage import MarkupOptions
from service.text.markup.references import unescaped
from service.text.markup.tokenizer import read_tokens
from service.text.unicode import check_unicode
from service.translation.values import TranslateRequest

AUTO = "auto"


_SURE_OF_TARGET = 80.0
"""Confidence from which a text counts as being in the target language already."""


class LanguageFinder:
    """Detects languages; loads the detector once; used from one event loop."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._loading: asyncio.Future[Detector] | None = None

    async def warm(self) -> None:
        """Loads the detector, unless it is loaded."""
        await self._detector()

    async def detect(self, request: TranslateRequest) -> list[Detection]:
        """The language of every text of a request whose source is `auto`.

        Languages that can be translated to the request's target are considered, and the target.
        Of a text with markup, what stands between the tags counts.

        Raises:
            UnsupportedLanguageError: No language is translated to the target, or a text is clearly
                in another language.
            InvalidRequestError: A text is not valid Unicode.
        """
        sources = self._registry.routes.sources_of(request.target)
        if not sources:
            raise self._registry.routes.unsupported_target(request.target)
        for text in request.texts:
            check_unicode(text)
        target = self._registry.routes.served_target(request.target) or request.target.lower()
        detector = await self._detector()
        return await asyncio.to_thread(
            lambda: [
                _language_of(detector, _without_tags(text, request.markup), target, sources)
                for text in request.texts
            ]
        )

    async def rank(self, text: str) -> list[Detection]:
        """All served languages, likeliest first; before them one that is not, if it clearly is it.

        Tags do not count: nothing says whether a text has markup, and their words are English.

        Raises:
            InvalidRequestError: The text is not valid Unicode.
        """
        check_unicode(text)
        pairs = self._pairs()
        languages = sorted({code for pair in pairs for code in (pair.source, pair.target)})
        detector = await self._detector()
        return await asyncio.to_thread(
            lambda: _ranked(detector, _without_tags(text, MarkupOptions()), languages)
        )

    async def _detector(self) -> Detector:
        # Loading takes over a second; requests that arrive meanwhile share it.
        if self._loading is None:
            self._loading = asyncio.ensure_future(asyncio.to_thread(Detector))
        return await asyncio.shield(self._loading)

    def _pairs(self) -> list[LanguagePair]:
        return [pair for each in self._registry.served for pair in each.bundle.manifest.pairs]


def _without_tags(text: str, markup: MarkupOptions | None) -> str:
    """The beginning of the text between the tags; of a text without markup, the whole."""
    if markup is None:
        return text
    parts: list[str] = []
    num_chars = 0
    for token in read_tokens(text, markup.kind):
        if token.kind is None:
            parts.append(token.text)
            num_chars += len(token.text)
            if num_chars >= MAX_SEARCHED:
                break
    return unescaped(" ".join(parts)[:MAX_SEARCHED])


def _language_of(detector: Detector, text: str, target: str, sources: Sequence[str]) -> Detection:
    served = list(dict.fromkeys([*sources, target]))
    foreign = detector.foreign(text, served)
    if foreign:
        raise UnsupportedLanguageError(
            f"the text looks like {name_of(foreign.language)} ({foreign.confidence:.0f} %), which "
            f"is not translated to {name_of(target)} here: send {_listed(sources)}, or name the "
            "source"
        )
    best = detector.detect(text, served)[0]
    if best.language in sources or best.confidence >= _SURE_OF_TARGET:
        return best
    return detector.detect(text, sources)[0]


def _ranked(detector: Detector, text: str, languages: Sequence[str]) -> list[Detection]:
    foreign = detector.foreign(text, languages)
    served = detector.detect(text, languages)
    if foreign is None:
        return served
    rest = (100 - foreign.confidence) / 100
    return [
        foreign,
        *(replace(each, confidence=round(each.confidence * rest, 2)) for each in served),
    ]


def _listed(codes: Sequence[str]) -> str:
    names = sorted(map(name_of, codes))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
