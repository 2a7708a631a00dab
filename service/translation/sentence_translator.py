"""Sentences through one model: decoded, restored, aligned, patched, and inspected."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bundle.manifest import LanguagePair
from service.inspection.inspector import Inspector
from service.inspection.selection import check_selection
from service.inspection.token_pairs import TokenPair
from service.inspection.values import (
    AttentionMaps,
    AttentionSelection,
)
from service.models.loaded_model import LoadedModel
from service.observability.clock import Clock
from service.observability.logs import count_sentences
from service.scheduling.job import JobResult
from service.text.masking.glossary import GlossaryEntry
from service.translation.decode_options import decode_options
from service.translation.decoding import DecodePlan, decode, decode_pieces
from service.translation.offload import offload
from service.translation.postprocessing import cut, postprocess, sew
from service.translation.source_text import ReadOptions, SourceSentence, TextReader
from service.translation.target_text import TranslatedSentence, with_tokens
from service.translation.values import TranslateRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedSentences:
    """Sentences that were translated together."""

    sentences: list[TranslatedSentence]
    runs: tuple[Sequence[JobResult], ...]
    """What each model did for them, one after the other."""


class SingleModelTranslator:
    """Translates sentences of one request with one model; used from one event loop."""

    def __init__(
        self,
        model: LoadedModel,
        pair: LanguagePair,
        request: TranslateRequest,
        inspector: Inspector,
        clock: Clock = time.monotonic,
        deadline_s: float | None = None,
    ) -> None:
        """Check what can be checked before any work.

        Raises:
            InvalidRequestError: An option is out of its range, or does not exist in this model.
        """
        self.model = model
        self.pair = pair
        self._request = request
        self._inspector = inspector
        self._clock = clock
        self._deadline_s = deadline_s
        manifest = model.bundle.manifest
        self._plan = DecodePlan(
            request=request, options=decode_options(request, manifest), deadline_s=deadline_s
        )
        if request.attention:
            check_selection(request.attention, manifest.architecture)
        self.reader = TextReader(model.bundle, pair, _read_options(request))

    def reader_with(self, glossary: tuple[GlossaryEntry, ...]) -> TextReader:
        """What reads running text of no markup for this model, with other terms.

        Raises:
            InvalidRequestError: Two of them contradict each other.
        """
        options = ReadOptions(splitting=self._request.splitting, glossary=glossary)
        return TextReader(self.model.bundle, self.pair, options)

    async def translate(
        self,
        texts: Sequence[Sequence[SourceSentence]],
        prefixes: Sequence[str] | None,
        wants_links: Sequence[bool],
    ) -> TranslatedSentences:
        """Translate the sentences of all texts, or none.

        Args:
            texts: As `reader` reads them.
            prefixes: What the translation of each text begins with.
            wants_links: Whether it must be known which word of each sentence became which.

        Raises:
            ServiceError: Which of them, and why, is said in `service.errors`.
        """
        plan = replace(self._plan, prefixes=prefixes)
        results = await decode(self.model, texts, plan)
        sources = [sentence for text in texts for sentence in text]
        size = sum(len(source.segment.text) for source in sources)
        sentences = await offload(size, self._all_restored, sources, results)
        sentences = await self._aligned(sentences, _wanted(sentences, wants_links))
        sentences = await self._patched(sentences)
        count_sentences(_lengths(sentences))
        sentences = await self._inspected(sentences)
        return TranslatedSentences(
            sentences=await offload(size, self._spelt, sentences), runs=(results,)
        )

    def _all_restored(
        self, sources: Sequence[SourceSentence], results: Sequence[JobResult]
    ) -> list[TranslatedSentence]:
        remaining = iter(results)
        return [
            self._restored(
                TranslatedSentence(
                    source=source,
                    hypotheses=next(remaining).hypotheses if source.source_ids else (),
                )
            )
            for source in sources
        ]

    def _restored(
        self, sentence: TranslatedSentence, attention: AttentionMaps | None = None
    ) -> TranslatedSentence:
        """With its texts; attention, where there is any, is that of the best hypothesis."""
        weights = None if attention is None else attention.alignment.tolist()
        restored = tuple(
            postprocess(
                sentence.source,
                hypothesis,
                self.model.bundle,
                weights if rank == 0 else None,
                pair=self.pair,
            )
            for rank, hypothesis in enumerate(sentence.hypotheses)
        )
        return replace(sentence, restored=restored)

    async def _aligned(
        self, sentences: Sequence[TranslatedSentence], wanted: Sequence[bool]
    ) -> list[TranslatedSentence]:
        chosen = [s for s, is_wanted in zip(sentences, wanted, strict=True) if is_wanted]
        maps = iter(await self._attention(chosen, None))
        return [
            self._restored(s, next(maps)) if is_wanted else s
            for s, is_wanted in zip(sentences, wanted, strict=True)
        ]

    async def _patched(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """Those that still lack something, translated around it."""
        patchworks = {
            i: cut(s.source, self.reader) for i, s in enumerate(sentences) if not s.best.is_complete
        }
        pieces = [ids for patchwork in patchworks.values() for ids in patchwork.source_ids]
        results = iter(await decode_pieces(self.model, pieces, self._plan))
        patched = list(sentences)
        for i, patchwork in patchworks.items():
            hypotheses = [next(results).hypotheses[0] for _ in patchwork.source_ids]
            whole, text = sew(patchwork, hypotheses, self.model.bundle)
            patched[i] = replace(sentences[i], hypotheses=(whole,), restored=(text,))
        return patched

    async def _inspected(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        """With the attention maps that were asked for, where a model ran."""
        if self._request.attention is None:
            return list(sentences)
        ran = [sentence for sentence in sentences if sentence.hypotheses]
        maps = iter(await self._attention(ran, self._request.attention))
        return [replace(s, attention=next(maps)) if s.hypotheses else s for s in sentences]

    async def _attention(
        self, sentences: Sequence[TranslatedSentence], selection: AttentionSelection | None
    ) -> list[AttentionMaps]:
        if not sentences:
            return []
        eos = self.model.bundle.manifest.special_ids.eos
        timeout_s = None
        if self._deadline_s is not None:
            timeout_s = max(0.0, self._deadline_s - self._clock())
        pairs = [generated_pair(sentence, eos) for sentence in sentences]
        return await self._inspector.inspect(self.model, pairs, selection, timeout_s=timeout_s)

    def _spelt(self, sentences: Sequence[TranslatedSentence]) -> list[TranslatedSentence]:
        return [with_tokens(sentence, self.model.bundle) for sentence in sentences]


def _wanted(sentences: Sequence[TranslatedSentence], wants_links: Sequence[bool]) -> list[bool]:
    """Which sentences to align: also those in which something has to be put in its place."""
    return [
        bool(sentence.hypotheses) and (is_wanted or not sentence.best.is_complete)
        for sentence, is_wanted in zip(sentences, wants_links, strict=True)
    ]


def _lengths(sentences: Sequence[TranslatedSentence]) -> Iterator[tuple[int, int]]:
    """Tokens, source and target, of those that a model translated."""
    for sentence in sentences:
        if sentence.hypotheses:
            yield len(sentence.source.source_ids), len(sentence.hypotheses[0].target_ids)


def _read_options(request: TranslateRequest) -> ReadOptions:
    return ReadOptions(
        markup=request.markup,
        splitting=request.splitting,
        unwrap=request.unwrap,
        glossary=request.glossary,
    )


def generated_pair(sentence: TranslatedSentence, eos: int) -> TokenPair:
    """A sentence and its best translation, exactly as they went through the model."""
    best = sentence.hypotheses[0]
    ended = best.has_ended
    return TokenPair(
        source_ids=sentence.source.source_ids,
        # A translation that was cut off has no end token, and perhaps no position left for it.
        target_ids=(*best.target_ids, eos) if ended else best.target_ids,
    )
