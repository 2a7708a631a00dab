"""Sentences through one model: decoded, postprocessed, aligned, and inspected if requested."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import LanguagePair
from service.inspection.causes.methods import check_method
from service.inspection.inspector import Inspector
from service.inspection.replay import replay_of
from service.inspection.selection import check_selection, check_states
from service.inspection.token_pairs import TokenPair
from service.inspection.values import AttentionSelection
from service.models.loaded_model import LoadedModel
from service.observability.clock import Clock
from service.observability.logs import count_sentences
from service.scheduling.job import Job, JobResult
from service.text.masking.glossary import GlossaryEntry
from service.text.masking.inflection import find_forms
from service.translation.sentences.decode_options import decode_options
from service.translation.sentences.decoding import (
    DecodePlan,
    decode,
    fragment_jobs,
    jobs_of,
    repeated_jobs,
    run_jobs,
)
from service.translation.sentences.fragments import cut_all, join_all
from service.translation.sentences.given_links import given_pairs, with_links
from service.translation.sentences.postprocessing import postprocess, postprocess_all
from service.translation.sentences.sentence_translator import TranslatedSentences
from service.translation.sentences.source_text import ReadOptions, SourceSentence, TextReader
from service.translation.sentences.target_text import Postprocessed, TranslatedSentence
from service.translation.text_limits import UNLIMITED, TextLimits
from service.translation.text_thread import TextThread
from service.translation.values import TranslateRequest

_CHARS_OF_A_SENTENCE = 20
"""A sentence costs as much as so many characters, however short it is."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class SingleModelTranslator:
    """Translates sentences of one request with one model; used from one event loop."""

    def __init__(
        self,
        model: LoadedModel,
        pair: LanguagePair,
        request: TranslateRequest,
        inspector: Inspector,
        thread: TextThread | None = None,
        limits: TextLimits = UNLIMITED,
        clock: Clock = time.monotonic,
        deadline_s: float | None = None,
    ) -> None:
        """Checks everything that can be checked before any work.

        Raises:
            InvalidRequestError: An option is out of its range, or does not exist in this model.
        """
        self.model = model
        self.pair = pair
        self._request = request
        self._inspector = inspector
        self._thread = thread or TextThread()
        self._limits = limits if request.is_bounded else UNLIMITED
        self._num_fragments = 0
        """Of all sentences so far."""
        self._clock = clock
        self._deadline_s = deadline_s
        read_options = _read_options(request, self._limits)
        manifest = model.bundle.manifest
        self._plan = DecodePlan(
            request=request, options=decode_options(request, manifest), deadline_s=deadline_s
        )
        if request.attention:
            check_selection(request.attention, manifest.architecture)
            check_method(request.attention.method, model.bundle)
            check_states(request.attention, model.bundle)
        self.reader = TextReader(model.bundle, pair, read_options)

    @property
    def languages(self) -> tuple[str, str]:
        """Codes of source and target."""
        return self.pair.source, self.pair.target

    def reader_with(self, glossary: tuple[GlossaryEntry, ...]) -> TextReader:
        """A reader of running text for this model, with other terms.

        Raises:
            InvalidRequestError: Two terms contradict each other.
        """
        options = ReadOptions(splitting=self._request.splitting, glossary=glossary)
        return TextReader(self.model.bundle, self.pair, options)

    async def translate(self, sentences: Sequence[SourceSentence]) -> TranslatedSentences:
        """Translates all sentences, or none.

        Args:
            sentences: As `reader` reads them.

        Raises:
            ServiceError: See `service.errors`.
        """
        jobs = await self._run(sentences, jobs_of, sentences, self._plan)
        if self._request.with_search:
            self._inspector.check_replay([job.options for job in jobs if job])
        found, results = await self._decoded(sentences, jobs)
        found, enforced = await self._with_terms(found)
        found, further = await self._with_numbers(found)
        found = await self._aligned(found)
        found = await self._with_fragments(found)
        translated = [sentence for sentence in found if sentence.hypotheses]
        count_sentences(
            [(len(s.source.source_ids), len(s.hypotheses[0].target_ids)) for s in translated]
        )
        if self._request.attention is not None:
            found = await self._inspected(found, self._request.attention)
        if self._request.with_search:
            found = await self._run(sentences, self._replayed, found)
        return TranslatedSentences(
            sentences=found,
            runs=([result for result in [*results, *enforced, *further] if result],),
        )

    async def _with_terms(
        self, sentences: list[TranslatedSentence]
    ) -> tuple[list[TranslatedSentence], list[JobResult | None]]:
        """Translates sentences in which the model did not use the glossary again, with masks.

        Returns:
            The sentences, and the results of the second translations.
        """
        chosen = [i for i, s in enumerate(sentences) if s.source.shows_terms]
        if not chosen:
            return sentences, []
        better = list(sentences)
        shown = [sentences[index] for index in chosen]
        rated = await self._run([s.source for s in shown], _all_with_rated_terms, shown)
        for index, sentence in zip(chosen, rated, strict=True):
            better[index] = sentence
        missing = [index for index in chosen if not better[index].best.is_complete]
        if not missing:
            return better, []
        sources = [better[index].source for index in missing]
        masked = await self._run(sources, self._all_with_masked_terms, sources)
        found, results = await self._repeated(masked)
        for index, sentence in zip(missing, found, strict=True):
            better[index] = sentence
        return better, results

    def _all_with_masked_terms(self, sentences: Sequence[SourceSentence]) -> list[SourceSentence]:
        return [self.reader.with_masked_terms(sentence) for sentence in sentences]

    async def _repeated(
        self, sentences: Sequence[SourceSentence]
    ) -> tuple[list[TranslatedSentence], list[JobResult | None]]:
        """Translates sentences that were translated before, in another form."""
        jobs = await self._run(sentences, repeated_jobs, sentences, self._plan)
        return await self._decoded(sentences, jobs)

    async def _decoded(
        self, sentences: Sequence[SourceSentence], jobs: Sequence[Job | None]
    ) -> tuple[list[TranslatedSentence], list[JobResult | None]]:
        """Translates sentences by their jobs.

        Returns:
            The sentences, and the result of each job.
        """
        results = await decode(self.model, jobs, self._plan)
        found = await self._run(
            sentences,
            postprocess_all,
            sentences,
            results,
            self.model.bundle,
            self.pair,
            with_words=self._request.with_doubt,
        )
        return found, list(results)

    async def linked(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """Links the words of translations that the model has not made, by its attention.

        One that exceeds the model's limit stays as it is.

        Raises:
            ServiceError: See `service.errors`.
        """
        sources = [sentence.source for sentence in sentences]
        pairs = await self._run(sources, given_pairs, sentences, self.model.bundle, self.pair)
        chosen = [i for i, pair in enumerate(pairs) if pair is not None]
        known = [pair for pair in pairs if pair is not None]
        found = await self._inspector.align(self.model, known, timeout_s=self._left_s)
        linked = list(sentences)
        for index, tokens, attention in zip(chosen, known, found, strict=True):
            linked[index] = with_links(
                sentences[index], tokens, attention, self.model.bundle, self.pair
            )
        return linked

    async def _with_numbers(
        self, sentences: list[TranslatedSentence]
    ) -> tuple[list[TranslatedSentence], list[JobResult | None]]:
        """Translates sentences whose numbers changed again, with all numbers masked.

        The first translation stays where the second has no better numbers.

        Returns:
            The sentences, and the results of the second translations.
        """
        chosen = [i for i, s in enumerate(sentences) if s.hypotheses and not s.source.prefix_ids]
        chosen = [i for i in chosen if not sentences[i].best.keeps_numbers]
        if not chosen:
            return sentences, []
        sources = [sentences[index].source for index in chosen]
        masked = await self._run(sources, self._all_masked, sources)
        pairs = zip(chosen, sources, masked, strict=True)
        changed = [(i, new) for i, old, new in pairs if old.source_ids != new.source_ids]
        again = [new for _, new in changed]
        found, results = await self._repeated(again)
        better = list(sentences)
        for (index, _), sentence in zip(changed, found, strict=True):
            if sentence.best.is_complete and sentence.best.keeps_numbers:
                better[index] = sentence
        return better, results

    def _all_masked(self, sentences: Sequence[SourceSentence]) -> list[SourceSentence]:
        return [self.reader.with_masked_numbers(sentence) for sentence in sentences]

    async def _aligned(self, sentences: list[TranslatedSentence]) -> list[TranslatedSentence]:
        """Aligns sentences whose links are needed, or in which something is missing."""
        chosen = [
            index
            for index, sentence in enumerate(sentences)
            if sentence.hypotheses
            and (sentence.source.needs_links or not sentence.best.is_complete)
        ]
        if not chosen:
            return sentences
        pairs = self._generated_pairs([sentences[index] for index in chosen])
        alignments = await self._inspector.align(self.model, pairs, timeout_s=self._left_s)
        sources = [sentences[index].source for index in chosen]
        found = await self._run(sources, self._all_aligned, sentences, chosen, alignments)
        aligned = list(sentences)
        for index, sentence in zip(chosen, found, strict=True):
            aligned[index] = sentence
        return aligned

    def _all_aligned(
        self,
        sentences: Sequence[TranslatedSentence],
        chosen: Sequence[int],
        alignments: Sequence[NDArray[np.float32]],
    ) -> list[TranslatedSentence]:
        """The chosen sentences, postprocessed with the alignment that was computed."""
        return [
            replace(
                sentences[index],
                best=postprocess(
                    sentences[index].source,
                    sentences[index].hypotheses[0],
                    self.model.bundle,
                    self.pair,
                    alignment,
                    with_words=self._request.with_doubt,
                ),
            )
            for index, alignment in zip(chosen, alignments, strict=True)
        ]

    async def _with_fragments(
        self, sentences: list[TranslatedSentence]
    ) -> list[TranslatedSentence]:
        """Translates sentences that still lack something protected again, in fragments."""
        incomplete = [i for i, sentence in enumerate(sentences) if not sentence.best.is_complete]
        if not incomplete:
            return sentences
        sources = [sentences[index].source for index in incomplete]
        fragments = await self._run(sources, cut_all, sources, self.reader)
        source_ids = [ids for each in fragments for ids in each.source_ids]
        self._num_fragments += len(source_ids)
        self._limits.check_fragments(self._num_fragments)
        jobs = await self._run(sources, fragment_jobs, source_ids, self._plan)
        results = await run_jobs(self.model.scheduler, self.model.options.scheduler, jobs)
        joined = await self._run(
            sources,
            join_all,
            fragments,
            results,
            self.model.bundle,
            with_words=self._request.with_doubt,
        )
        completed = list(sentences)
        for index, sentence in zip(incomplete, joined, strict=True):
            completed[index] = sentence
        return completed

    async def _run(
        self,
        sentences: Sequence[SourceSentence],
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Calls `function`, in a thread if it works on long or many sentences."""
        size = sum(len(s.segment.text) + _CHARS_OF_A_SENTENCE for s in sentences)
        return await self._thread.run(self._request.client, size, function, *args, **kwargs)

    async def _inspected(
        self, sentences: list[TranslatedSentence], selection: AttentionSelection
    ) -> list[TranslatedSentence]:
        """Adds the attention maps that were requested, where a model ran."""
        pairs = self._generated_pairs([s for s in sentences if s.hypotheses])
        found = await self._inspector.inspect(self.model, pairs, selection, timeout_s=self._left_s)
        maps = iter(found)
        return [replace(s, attention=next(maps)) if s.hypotheses else s for s in sentences]

    def _replayed(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """Adds the searches that were requested, where one search found the translation."""
        options, bundle = self._plan.options, self.model.bundle
        return [
            replace(s, search=replay_of(s.hypotheses[0], options, bundle)) if s.hypotheses else s
            for s in sentences
        ]

    def _generated_pairs(self, sentences: Sequence[TranslatedSentence]) -> list[TokenPair]:
        eos_id = self.model.bundle.manifest.special_ids.eos
        return [_generated_pair(sentence, eos_id) for sentence in sentences]

    @property
    def _left_s(self) -> float | None:
        """Seconds until the deadline of the request."""
        return None if self._deadline_s is None else max(0.0, self._deadline_s - self._clock())


def _read_options(request: TranslateRequest, limits: TextLimits) -> ReadOptions:
    return ReadOptions(
        markup=request.markup,
        splitting=request.splitting,
        unwrap=request.unwrap,
        glossary=request.glossary,
        tries_without_masks=request.inflects_terms,
        with_alignment=request.with_alignment,
        limits=limits,
    )


def _all_with_rated_terms(sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
    """Sentences whose translations are complete only if they have the glossary's terms."""
    return [
        replace(
            sentence,
            best=_with_rated_terms(sentence.source, sentence.best),
            alternatives=tuple(
                _with_rated_terms(sentence.source, a) for a in sentence.alternatives
            ),
        )
        for sentence in sentences
    ]


def _with_rated_terms(source: SourceSentence, translation: Postprocessed) -> Postprocessed:
    assert source.preprocessed is not None, "it shows its terms"
    has_terms = None not in find_forms(source.preprocessed.terms, translation.text)
    return replace(translation, is_complete=translation.is_complete and has_terms)


def _generated_pair(sentence: TranslatedSentence, eos_id: int) -> TokenPair:
    """A sentence and its best translation, exactly as they went through the model."""
    best = sentence.hypotheses[0]
    return TokenPair(
        source_ids=sentence.source.source_ids,
        # A translation that was cut off has no end token, and perhaps no position left for one.
        target_ids=(*best.target_ids, eos_id) if best.has_ended else best.target_ids,
    )
