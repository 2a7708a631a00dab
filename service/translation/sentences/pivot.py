"""Sentences by way of a third language: translated by one model, and then by another."""

from collections.abc import Sequence
from dataclasses import replace

from service.engine.search.options import Hypothesis
from service.text.alignment.word_links import WordLink, chain_links
from service.text.masking.glossary import GlossaryEntry, glossary_of
from service.translation.sentences.doubt import confidence_by_way, confidence_in
from service.translation.sentences.fragments import join_hypotheses
from service.translation.sentences.sentence_translator import TranslatedSentences
from service.translation.sentences.single_model import SingleModelTranslator
from service.translation.sentences.source_text import SourceSentence, TextReader
from service.translation.sentences.target_text import (
    Postprocessed,
    TranslatedSentence,
    passage_links,
)
from service.translation.text_thread import TextThread
from service.translation.values import RouteStep, TranslatedWord, TranslateRequest


def pivot_requests(request: TranslateRequest) -> tuple[TranslateRequest, TranslateRequest]:
    """The requests to the first model and to the second.

    Only the second model's output is the reply: its shortest length, the number of alternatives
    and the doubt about words concern that model alone. Terms are in the target language, so the
    first model cannot write them.
    """
    request = replace(request, inflects_terms=False)
    first = replace(request, min_target_tokens=None, num_alternatives=0, with_doubt=False)
    return first, request


class PivotTranslator:
    """Two models, one behind the other; used from one event loop."""

    def __init__(
        self,
        first: SingleModelTranslator,
        second: SingleModelTranslator,
        request: TranslateRequest,
        thread: TextThread | None = None,
    ) -> None:
        """Checks the glossary.

        Args:
            first: From the source to the pivot language.
            second: From there to the target.
            request: Its glossary is between source and target.
            thread: For long texts.
        """
        self._first = first
        self._second = second
        self._glossary = glossary_of(request.glossary)
        self._client = request.client
        self._thread = thread or TextThread()
        self._readers: dict[tuple[str, ...], TextReader] = {}

    @property
    def reader(self) -> TextReader:
        """Reads texts for the first model."""
        return self._first.reader

    @property
    def languages(self) -> tuple[str, str]:
        """Codes of source and target."""
        return self._first.pair.source, self._second.pair.target

    async def translate(self, sentences: Sequence[SourceSentence]) -> TranslatedSentences:
        """Translates all sentences, or none.

        The second model gets the translation of each sentence as a text of its own, so everything
        between sentences stays with the source.

        Args:
            sentences: As `reader` reads them, without prefixes.

        Raises:
            ServiceError: See `service.errors`.
        """
        before = await self._first.translate(sentences)
        size = sum(len(s.source.segment.text) + len(s.best.text) for s in before.sentences)
        between = await self._thread.run(self._client, size, self._read_again, before.sentences)
        after = await self._second.translate([part for parts in between for part in parts])
        found = await self._thread.run(
            self._client, size, self._join_all, before.sentences, between, after.sentences
        )
        return TranslatedSentences(sentences=found, runs=(*before.runs, *after.runs))

    async def linked(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """The same: neither model has both languages."""
        return list(sentences)

    def _read_again(self, sentences: Sequence[TranslatedSentence]) -> list[list[SourceSentence]]:
        """The translation of each sentence, as the second model's source."""
        return [
            list(self._reader_for(s.source).read_running(s.best.text, like=s.source))
            if s.hypotheses
            else []
            for s in sentences
        ]

    def _reader_for(self, source: SourceSentence) -> TextReader:
        """A reader that protects the glossary terms of `source`: they are in the target language.

        Other terms are left out: the same letters may be a word of the pivot language.
        """
        found = self._glossary.find(source.visible.text)
        terms = tuple(
            sorted({term.replacement.casefold(): term.replacement for term in found}.values())
        )
        if terms not in self._readers:
            entries = tuple(GlossaryEntry(source=term, target=term) for term in terms)
            self._readers[terms] = self._second.reader_with(entries)
        return self._readers[terms]

    def _join_all(
        self,
        sentences: Sequence[TranslatedSentence],
        between: Sequence[Sequence[SourceSentence]],
        translated: Sequence[TranslatedSentence],
    ) -> list[TranslatedSentence]:
        remaining = iter(translated)
        return [
            self._join(sentence, [next(remaining) for _ in parts])
            if sentence.hypotheses
            else sentence
            for sentence, parts in zip(sentences, between, strict=True)
        ]

    def _join(
        self, before: TranslatedSentence, parts: Sequence[TranslatedSentence]
    ) -> TranslatedSentence:
        """A sentence with the second model's translation of its parts."""
        num_ranks = max((len(part.hypotheses) for part in parts), default=0) or 1
        hypotheses = [_hypothesis(parts, rank) for rank in range(num_ranks)]
        best, *others = [_postprocessed(before, parts, rank) for rank in range(num_ranks)]
        after = TranslatedSentence(
            source=before.source,
            best=best,
            alternatives=tuple(others),
            hypotheses=tuple(hypotheses),
            source_tokens=tuple(token for part in parts for token in part.source_tokens),
            target_tokens=tuple(token for part in parts for token in part.target_tokens),
        )
        bundle = self._second.model.bundle
        return replace(
            after,
            confidence=confidence_by_way(
                before.confidence, confidence_in(hypotheses[0], bundle), bundle
            ),
            hypotheses=(_ended_after(before.hypotheses[0], hypotheses[0]), *hypotheses[1:]),
            source_tokens=before.source_tokens,
            route=(_route_step(before, self._first), _route_step(after, self._second)),
        )


def _hypothesis(parts: Sequence[TranslatedSentence], rank: int) -> Hypothesis:
    """The `rank`-th best hypothesis of every part, or its last, joined."""
    ran = [part.hypotheses for part in parts if part.hypotheses]
    return join_hypotheses([hypotheses[min(rank, len(hypotheses) - 1)] for hypotheses in ran])


def _ended_after(before: Hypothesis, best: Hypothesis) -> Hypothesis:
    """`best`, cut off if the translation that it was made from was cut off."""
    both = join_hypotheses([before, best])
    return replace(best, finish_reason=both.finish_reason, has_ended=both.has_ended)


def _postprocessed(
    before: TranslatedSentence, parts: Sequence[TranslatedSentence], rank: int
) -> Postprocessed:
    """The `rank`-th best translation of all parts, joined."""
    chosen = [part.ranked(rank) for part in parts]
    separators = [part.source.segment.separator for part in parts]
    return Postprocessed(
        text="".join(c.text + s for c, s in zip(chosen, separators, strict=True)),
        is_complete=before.best.is_complete and all(c.is_complete for c in chosen),
        links=_links(before, parts) if rank == 0 else None,
        words=_words(parts) if rank == 0 else (),
    )


def _words(parts: Sequence[TranslatedSentence]) -> tuple[TranslatedWord, ...]:
    """The words of all parts, with offsets in the joined translation."""
    found: list[TranslatedWord] = []
    offset = 0
    for part in parts:
        found += [
            replace(word, start=word.start + offset, end=word.end + offset)
            for word in part.best.words
        ]
        offset += len(part.best.text) + len(part.source.segment.separator)
    return tuple(found)


def _links(
    before: TranslatedSentence, parts: Sequence[TranslatedSentence]
) -> tuple[WordLink, ...] | None:
    """Links across both models; None unless both were aligned."""
    first = before.best.links
    if first is None or any(part.hypotheses and part.best.links is None for part in parts):
        return None
    return chain_links(first, passage_links(parts, [part.best for part in parts]))


def _route_step(sentence: TranslatedSentence, translator: SingleModelTranslator) -> RouteStep:
    best = sentence.hypotheses[0]
    return RouteStep(
        model=translator.model.name,
        source=translator.pair.source,
        target=translator.pair.target,
        translation=sentence.best.text,
        source_tokens=sentence.source_tokens,
        target_tokens=sentence.target_tokens,
        score=best.log_prob,
        finish_reason=best.finish_reason,
    )
