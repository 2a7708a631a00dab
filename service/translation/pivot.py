"""Sentences by way of a third language: translated by one model, and then by another."""

from collections.abc import Sequence
from dataclasses import replace

from service.engine.search.options import Hypothesis
from service.text.alignment.word_links import WordLink, chain_links
from service.text.masking.glossary import Glossary, GlossaryEntry
from service.translation.offload import offload
from service.translation.postprocessing import joined
from service.translation.sentence_translator import SingleModelTranslator, TranslatedSentences
from service.translation.source_text import SourceSentence, TextReader
from service.translation.target_text import Postprocessed, TranslatedSentence, passage_links
from service.translation.values import RouteStep, TranslateRequest


def pivot_requests(request: TranslateRequest) -> tuple[TranslateRequest, TranslateRequest]:
    """What is asked of the first model, and of the second.

    Only the last one's output is what the client gets: how short it may be and how many there are
    is up to that.
    """
    return replace(request, min_target_tokens=None, num_alternatives=0), request


class Pivot:
    """Two legs, one behind the other; used from one event loop."""

    def __init__(
        self,
        first: SingleModelTranslator,
        second: SingleModelTranslator,
        glossary: Sequence[GlossaryEntry],
    ) -> None:
        """Check the glossary.

        Args:
            first: From the source to the language between.
            second: From there to the target.
            glossary: Between source and target.
        """
        self._first = first
        self._second = second
        self._glossary = Glossary(glossary)
        self._readers: dict[tuple[str, ...], TextReader] = {}

    @property
    def reader(self) -> TextReader:
        """Reads texts for the first model."""
        return self._first.reader

    async def translate(
        self,
        texts: Sequence[Sequence[SourceSentence]],
        prefixes: Sequence[str] | None,
        wants_links: Sequence[bool],
    ) -> TranslatedSentences:
        """Translate the sentences of all texts, or none.

        The second model gets what became of each sentence as a text of its own, so everything
        between sentences stays with the source.

        Args:
            texts: As `reader` reads them.
            prefixes: None.
            wants_links: Whether it must be known which word of each sentence became which.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        assert prefixes is None, "refused: what comes first in the target is no prefix between"
        before = await self._first.translate(texts, None, wants_links)
        size = sum(len(sentence.best.text) for sentence in before.sentences)
        between = await offload(size, self._all_between, before.sentences)
        onward = [
            is_wanted for is_wanted, text in zip(wants_links, between, strict=True) for _ in text
        ]
        after = await self._second.translate(between, None, onward)
        sentences = await offload(
            size, self._all_joined, before.sentences, between, after.sentences
        )
        return TranslatedSentences(sentences=sentences, runs=(*before.runs, *after.runs))

    def _all_between(
        self, sentences: Sequence[TranslatedSentence]
    ) -> list[tuple[SourceSentence, ...]]:
        """What the second model is to translate of each sentence."""
        return [self._between(sentence) if sentence.hypotheses else () for sentence in sentences]

    def _between(self, sentence: TranslatedSentence) -> tuple[SourceSentence, ...]:
        sentinels = sentence.source.sentinels
        return self._reader_for(sentence.source).read_running(sentence.best.text, sentinels)

    def _reader_for(self, source: SourceSentence) -> TextReader:
        """One that leaves alone the terms that are in their last language already.

        Only those of this sentence: elsewhere the same letters may be a word of the language
        between.
        """
        found = self._glossary.find(source.segment.text)
        terms = tuple(
            sorted({term.replacement.casefold(): term.replacement for term in found}.values())
        )
        if terms not in self._readers:
            entries = tuple(GlossaryEntry(source=term, target=term) for term in terms)
            self._readers[terms] = self._second.reader_with(entries)
        return self._readers[terms]

    def _all_joined(
        self,
        sentences: Sequence[TranslatedSentence],
        between: Sequence[Sequence[SourceSentence]],
        translated: Sequence[TranslatedSentence],
    ) -> list[TranslatedSentence]:
        remaining = iter(translated)
        return [
            self._joined(sentence, [next(remaining) for _ in parts])
            if sentence.hypotheses
            else sentence
            for sentence, parts in zip(sentences, between, strict=True)
        ]

    def _joined(
        self, before: TranslatedSentence, parts: Sequence[TranslatedSentence]
    ) -> TranslatedSentence:
        """A sentence with what became of it in the end."""
        num_ranks = max((len(part.hypotheses) for part in parts), default=0) or 1
        best, *others = [_hypothesis(parts, rank) for rank in range(num_ranks)]
        after = TranslatedSentence(
            source=before.source,
            hypotheses=(best,),
            restored=tuple(_restored(before, parts, rank) for rank in range(num_ranks)),
            source_tokens=tuple(token for part in parts for token in part.source_tokens),
            target_tokens=tuple(token for part in parts for token in part.target_tokens),
        )
        return replace(
            after,
            hypotheses=(_ended_after(before.hypotheses[0], best), *others),
            source_tokens=before.source_tokens,
            route=(_leg_translation(before, self._first), _leg_translation(after, self._second)),
        )


def _hypothesis(parts: Sequence[TranslatedSentence], rank: int) -> Hypothesis:
    """The `rank`-th best of every part, or the last that there is."""
    ran = [part.hypotheses for part in parts if part.hypotheses]
    return joined([hypotheses[min(rank, len(hypotheses) - 1)] for hypotheses in ran])


def _ended_after(before: Hypothesis, best: Hypothesis) -> Hypothesis:
    """Cut off where what it was made from was."""
    both = joined([before, best])
    return replace(best, finish_reason=both.finish_reason, has_ended=both.has_ended)


def _restored(
    before: TranslatedSentence, parts: Sequence[TranslatedSentence], rank: int
) -> Postprocessed:
    chosen = [part.ranked(rank) for part in parts]
    separators = [part.source.segment.separator for part in parts]
    return Postprocessed(
        text="".join(c.text + s for c, s in zip(chosen, separators, strict=True)),
        is_complete=before.best.is_complete and all(c.is_complete for c in chosen),
        links=_links(before, parts) if rank == 0 else None,
    )


def _links(
    before: TranslatedSentence, parts: Sequence[TranslatedSentence]
) -> tuple[WordLink, ...] | None:
    """None where not both models were asked."""
    first = before.best.links
    if first is None or any(part.hypotheses and part.best.links is None for part in parts):
        return None
    return chain_links(first, passage_links(parts, [part.best for part in parts]))


def _leg_translation(sentence: TranslatedSentence, leg: SingleModelTranslator) -> RouteStep:
    best = sentence.hypotheses[0]
    return RouteStep(
        model=leg.model.name,
        source=leg.pair.source,
        target=leg.pair.target,
        translation=sentence.best.text,
        source_tokens=sentence.source_tokens,
        target_tokens=sentence.target_tokens,
        score=best.log_prob,
        finish_reason=best.finish_reason,
    )
