"""Translations that are given with their texts: inspected and scored as pairs of tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.inspection.contrast import contrasted
from service.inspection.inspector import Inspector
from service.inspection.token_pairs import TokenPair, inspected_pair, token_pair
from service.inspection.values import AttentionRequest, InspectedPair, ScoredPair, ScoreRequest
from service.observability.clock import Clock, left_s
from service.observability.logs import count_sentences
from service.scheduling.limits import INTERNAL_CLIENT
from service.translation.language_detection import AUTO, LanguageFinder
from service.translation.one_model import OneModel
from service.translation.text_thread import TextThread
from service.translation.values import TranslateRequest


class GivenTranslations:
    """Takes each text and its translation through one model; used from one event loop."""

    def __init__(
        self,
        models: OneModel,
        inspector: Inspector,
        languages: LanguageFinder,
        thread: TextThread,
        clock: Clock,
    ) -> None:
        self._models = models
        self._inspector = inspector
        self._languages = languages
        self._thread = thread
        self._clock = clock

    async def attention(
        self, request: AttentionRequest, translations: Sequence[str], deadline_s: float | None
    ) -> list[InspectedPair]:
        """Attention maps of every text beside its translation, in order.

        Raises:
            ServiceError: See `service.errors`.
        """
        given = list(zip(request.texts, translations, strict=True))
        count = len(given)
        given += zip(request.texts, request.contrasts or (), strict=False)
        source = await self._source_of_all(request)
        named = replace(request, source=source)
        async with self._models.lease(named, deadline_s) as (model, pair):
            pairs = await self._token_pairs(given, model.bundle, pair)
            count_sentences((len(p.source_ids), len(p.target_ids)) for p in pairs)
            selection, rest_s = request.selection, left_s(deadline_s, self._clock)
            found = await (
                self._inspector.inspect(model, pairs, selection, timeout_s=rest_s)
                if request.contrasts is None
                else self._inspector.inspect_beside(
                    model, pairs[:count], pairs[count:], selection, timeout_s=rest_s
                )
            )

        def shown() -> list[InspectedPair]:
            inspected = [
                inspected_pair(*texts, tokens, maps, model.bundle, pair)
                for texts, tokens, maps in zip(given, pairs, found, strict=True)
            ]
            if request.contrasts is None:
                return inspected
            return [*map(contrasted, inspected[:count], inspected[count:])]

        return await self._thread.run(INTERNAL_CLIENT, _num_chars(given), shown)

    async def score(self, request: ScoreRequest, deadline_s: float | None) -> list[ScoredPair]:
        """Log-probabilities of every translation, in order.

        Raises:
            ServiceError: See `service.errors`.
        """
        async with self._models.lease(request, deadline_s) as (model, pair):
            pairs = await self._token_pairs(request.pairs, model.bundle, pair)
            count_sentences((len(p.source_ids), len(p.target_ids)) for p in pairs)
            rest_s = left_s(deadline_s, self._clock)
            return await self._inspector.score(model, pairs, timeout_s=rest_s)

    async def _source_of_all(self, request: AttentionRequest) -> str:
        """The source that is named, or the language of the texts taken together."""
        if request.source.lower() != AUTO:
            return request.source
        text = "\n".join(request.texts)
        asked = TranslateRequest(texts=(text,), source=AUTO, target=request.target)
        return (await self._languages.detect(asked))[0].language

    async def _token_pairs(
        self, given: Sequence[tuple[str, str]], bundle: Bundle, pair: LanguagePair
    ) -> list[TokenPair]:
        return await self._thread.run(
            INTERNAL_CLIENT,
            _num_chars(given),
            lambda: [token_pair(*texts, bundle, pair) for texts in given],
        )


def _num_chars(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(len(text) + len(translation) for text, translation in pairs)
