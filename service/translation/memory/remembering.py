"""Sentences by the translation memory where it has them, by the models where it has not."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.observability.clock import Clock, left_s
from service.text.masking.glossary import Glossary
from service.text.masking.placeholders import find_placeholders
from service.translation.memory.translation_memory import TranslationMemory
from service.translation.memory.unit import Space
from service.translation.sentences.doubt import marked_words
from service.translation.sentences.sentence_translator import (
    SentenceTranslator,
    TranslatedSentences,
)
from service.translation.sentences.source_text import SourceSentence, TextReader
from service.translation.sentences.target_text import Postprocessed, TranslatedSentence
from service.translation.text_thread import TextThread
from service.translation.values import Suggestion, TranslateRequest


class RememberingTranslator:
    """A translator behind the memory; used from one event loop."""

    def __init__(
        self,
        memory: TranslationMemory,
        translator: SentenceTranslator,
        request: TranslateRequest,
        thread: TextThread,
        clock: Clock = time.monotonic,
        deadline_s: float | None = None,
    ) -> None:
        self._memory = memory
        self._translator = translator
        self._request = request
        self._thread = thread
        self._glossary = Glossary(request.glossary) if request.glossary else None
        self._space = Space.of(request.client.key_id, *translator.languages)
        self._clock = clock
        self._deadline_s = deadline_s

    @property
    def reader(self) -> TextReader:
        """Reads texts for the models."""
        return self._translator.reader

    @property
    def languages(self) -> tuple[str, str]:
        """Codes of source and target."""
        return self._translator.languages

    async def linked(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """As the models link them."""
        return await self._translator.linked(sentences)

    async def translate(self, sentences: Sequence[SourceSentence]) -> TranslatedSentences:
        """Translates all sentences, or none.

        Args:
            sentences: As `reader` reads them.

        Raises:
            ServiceError: See `service.errors`.
        """
        remembered, offered = await self._remembered(sentences)
        rest = [s for i, s in enumerate(sentences) if i not in remembered]
        if rest or not sentences:
            translated = await self._translator.translate(rest)
        else:
            translated = TranslatedSentences(sentences=[], runs=())
        others = iter(translated.sentences)
        found = [remembered.get(i) or next(others) for i in range(len(sentences))]
        if self._request.with_suggestions:
            found = await self._with_suggestions(found, offered)
        return replace(translated, sentences=found)

    async def _remembered(
        self, sentences: Sequence[SourceSentence]
    ) -> tuple[dict[int, TranslatedSentence], dict[int, Suggestion]]:
        """The sentences that are translated from memory, and what can only be offered."""
        asked = [i for i, sentence in enumerate(sentences) if _is_asked_for(sentence)]
        if not asked:
            return {}, {}
        texts = [sentences[i].segment.text for i in asked]
        targets = await self._memory.find(self._space, texts, self._left_s)
        known = {i: target for i, target in zip(asked, targets, strict=True) if target is not None}
        if not known:
            return {}, {}
        size = sum(len(sentences[i].segment.text) + len(target) for i, target in known.items())
        used, offered = await self._thread.run(
            self._request.client, size, self._sorted, sentences, known
        )
        chosen = [i for i, sentence in used.items() if sentence.source.needs_links]
        if chosen:
            linked = await self._translator.linked([used[i] for i in chosen])
            used.update(zip(chosen, linked, strict=True))
        return used, offered

    def _sorted(
        self, sentences: Sequence[SourceSentence], known: Mapping[int, str]
    ) -> tuple[dict[int, TranslatedSentence], dict[int, Suggestion]]:
        """What is used, and what is only offered because the glossary says something else."""
        used: dict[int, TranslatedSentence] = {}
        offered: dict[int, Suggestion] = {}
        for index, target in known.items():
            text = sentences[index].segment.text
            if self._keeps_terms(text, target):
                used[index] = self._translated(sentences[index], target)
            else:
                offered[index] = Suggestion(source=text, translation=target, score=1.0)
        return used, offered

    async def _with_suggestions(
        self, found: Sequence[TranslatedSentence], offered: dict[int, Suggestion]
    ) -> list[TranslatedSentence]:
        """The sentences of the models with translations of similar ones."""
        asked = [
            i
            for i, sentence in enumerate(found)
            if not sentence.is_remembered and _is_asked_for(sentence.source)
        ]
        texts = [found[i].source.segment.text for i in asked]
        lists = await self._memory.suggest(self._space, texts, self._left_s) if texts else []
        suggested = list(found)
        for index, suggestions in zip(asked, lists, strict=True):
            equal = [offered[index]] if index in offered else []
            suggested[index] = replace(found[index], suggestions=(*equal, *suggestions))
        return suggested

    def _keeps_terms(self, source: str, target: str) -> bool:
        """Whether a translation has what the glossary of the request says."""
        terms = self._glossary.find(source) if self._glossary else []
        return all(term.replacement.casefold() in target.casefold() for term in terms)

    def _translated(self, sentence: SourceSentence, target: str) -> TranslatedSentence:
        kept = find_placeholders(sentence.segment.text, self._space.source)
        return TranslatedSentence(
            source=sentence,
            is_remembered=True,
            best=Postprocessed(
                text=target,
                is_complete=all(each.replacement in target for each in kept),
                words=marked_words(target, ()) if self._request.with_doubt else (),
            ),
        )

    @property
    def _left_s(self) -> float | None:
        """Seconds until the deadline of the request."""
        return left_s(self._deadline_s, self._clock)


def _is_asked_for(sentence: SourceSentence) -> bool:
    """Whether a sentence is translated, and has nothing in it that no memory can have."""
    return bool(sentence.source_ids) and sentence.sentinels.isdisjoint(sentence.segment.text)
