"""A translation put together: sentences detokenised, restored and joined by what was between."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bundle.reader import Bundle
from service.engine.search.options import Hypothesis
from service.inspection.values import AttentionMaps
from service.text.alignment.no_break_spaces import NO_BREAK_SPACES, keep_no_break_spaces
from service.text.alignment.word_links import WordLink
from service.text.markup.document import write_markup
from service.text.markup.passage import Passage
from service.text.segmentation.segment import join
from service.text.tags.placement import place_tags
from service.translation.source_text import SourcePassage, SourceSentence, SourceText
from service.translation.values import RouteStep, SentenceTranslation, Translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Postprocessed:
    """The translation of a whole sentence, with everything back in it that the model never saw."""

    text: str
    is_complete: bool = True
    """False if something protected is missing, or there too often."""
    links: tuple[WordLink, ...] | None = None
    """Words of the sentence with words of `text`; None where nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedSentence:
    """A sentence and what the model made of it."""

    source: SourceSentence
    hypotheses: tuple[Hypothesis, ...] = ()
    """Best first; empty where the model was not asked."""
    restored: tuple[Postprocessed, ...] = ()
    """One for each hypothesis."""
    attention: AttentionMaps | None = None
    source_tokens: tuple[str, ...] = ()
    target_tokens: tuple[str, ...] = ()
    """Of the best hypothesis; `</s>` last where the model ended by itself."""
    route: tuple[RouteStep, ...] = ()
    """Where several models had a part in it."""

    @property
    def best(self) -> Postprocessed:
        """The translation."""
        return self.restored[0] if self.restored else _given(self.source)

    def ranked(self, rank: int) -> Postprocessed:
        """The `rank`-th best complete translation, or the last that there is."""
        complete = [restored for restored in self.restored[1:] if restored.is_complete]
        choices = [self.best, *complete]
        return choices[min(rank, len(choices) - 1)]


TranslatedText = list[list[TranslatedSentence]]
"""The sentences of each passage of a text."""


def with_tokens(sentence: TranslatedSentence, bundle: Bundle) -> TranslatedSentence:
    """With the pieces that the model read and wrote, where it ran."""
    if not sentence.hypotheses:
        return sentence
    best = sentence.hypotheses[0]
    return replace(
        sentence,
        source_tokens=tuple(bundle.tokenizer.source_pieces(sentence.source.source_ids)),
        target_tokens=target_pieces(best.target_ids, bundle, ended=best.has_ended),
    )


def assemble(text: SourceText, passages: TranslatedText, *, num_alternatives: int) -> Translation:
    """Join the best translations of all sentences, and tell where each of them is."""
    main = _written(text, passages, 0)
    return Translation(
        text=main,
        alternatives=_alternatives(text, passages, main, num_alternatives),
        sentences=_all_details(text, passages),
    )


def target_pieces(target_ids: Sequence[int], bundle: Bundle, *, ended: bool) -> tuple[str, ...]:
    """Pieces of a translation, with the end token if the model `ended` it itself."""
    end = [bundle.manifest.special_ids.eos] if ended else []
    return tuple(bundle.tokenizer.target_pieces([*target_ids, *end]))


def _written(text: SourceText, passages: TranslatedText, rank: int) -> str:
    """The text with the `rank`-th best translation of every sentence."""
    remaining = iter(passages)
    parts: list[str | Passage] = [
        part if isinstance(part, str) else _passage(part, next(remaining), rank)
        for part in text.parts
    ]
    if any(isinstance(part, Passage) for part in parts):
        return write_markup(parts)
    return "".join(part for part in parts if isinstance(part, str))


def _passage(
    source: SourcePassage, sentences: Sequence[TranslatedSentence], rank: int
) -> str | Passage:
    chosen = [sentence.ranked(rank) for sentence in sentences]
    separators = [sentence.source.segment.separator for sentence in sentences]
    target = "".join(c.text + s for c, s in zip(chosen, separators, strict=True))
    whole = join(sentence.source.segment for sentence in sentences)
    if source.markup is None and NO_BREAK_SPACES.isdisjoint(whole):
        return target
    links = passage_links(sentences, chosen)
    target = keep_no_break_spaces(whole, target, links)
    if source.markup is None:
        return target
    tags = place_tags(source.markup.tags, source.markup.text, target, links)
    return replace(source.markup, text=target, tags=tags)


def passage_links(
    sentences: Sequence[TranslatedSentence], chosen: Sequence[Postprocessed]
) -> list[WordLink]:
    """Links of all sentences, with offsets in the passage; untranslated ones are linked whole."""
    links: list[WordLink] = []
    offset = 0
    for sentence, restored in zip(sentences, chosen, strict=True):
        segment = sentence.source.segment
        links += [
            WordLink(
                source=_moved(link.source, segment.start),
                target=_moved(link.target, offset),
                weight=link.weight,
            )
            for link in _links(segment.text, restored)
        ]
        offset += len(restored.text) + len(segment.separator)
    return links


def _links(source: str, restored: Postprocessed) -> Sequence[WordLink]:
    if restored.links or not source or not restored.text:
        return restored.links or ()
    if source == restored.text:
        return [WordLink(source=(i, i + 1), target=(i, i + 1)) for i in range(len(source))]
    return [WordLink(source=(0, len(source)), target=(0, len(restored.text)))]


def _moved(span: tuple[int, int], offset: int) -> tuple[int, int]:
    return span[0] + offset, span[1] + offset


def _alternatives(
    text: SourceText, passages: TranslatedText, main: str, count: int
) -> tuple[str, ...]:
    """Up to `count` other texts: the i-th joins the i-th best translation of every sentence.

    A sentence with fewer translations contributes its last. Texts that come out equal, because
    two tokenisations spell the same, are left out.
    """
    if not count:
        return ()
    found = {main: None}
    most = max((len(s.hypotheses) for sentences in passages for s in sentences), default=0)
    for rank in range(1, most):
        found[_written(text, passages, rank)] = None
    return tuple(found)[1 : count + 1]


def _all_details(text: SourceText, passages: TranslatedText) -> tuple[SentenceTranslation, ...]:
    """Of every sentence; the offsets in a marked-up text are those in its passages, joined."""
    details: list[SentenceTranslation] = []
    source_offset = target_offset = 0
    for passage, sentences in zip(text.passages, passages, strict=True):
        for sentence in sentences:
            segment = sentence.source.segment
            if segment.text:
                span = _source_span(passage, segment.start, segment.end)
                details.append(_details(sentence, _moved(span, source_offset), target_offset))
            target_offset += len(sentence.best.text) + len(segment.separator)
        source_offset += len(passage.markup.text) if passage.markup else 0
    return tuple(details)


def _source_span(passage: SourcePassage, start: int, end: int) -> tuple[int, int]:
    """Offsets in what the client sent, of a stretch that is not empty."""
    if passage.unwrapped is None:
        return start, end
    return passage.unwrapped.source_offset(start), passage.unwrapped.source_offset(end - 1) + 1


def _details(
    sentence: TranslatedSentence, source_span: tuple[int, int], offset: int
) -> SentenceTranslation:
    source = sentence.source
    best = sentence.hypotheses[0] if sentence.hypotheses else _unchanged()
    text = sentence.best.text
    return SentenceTranslation(
        source=source.segment.text,
        translation=text,
        source_span=source_span,
        target_span=(offset, offset + len(text)),
        source_tokens=sentence.source_tokens,
        target_tokens=sentence.target_tokens,
        score=best.log_prob,
        token_log_probs=best.token_log_probs,
        finish_reason=best.finish_reason,
        truncated=not best.has_ended,
        placeholders_ok=sentence.best.is_complete,
        case=source.preprocessed.case if source.preprocessed else "as_is",
        alignment=sentence.best.links,
        attention=sentence.attention,
        route=sentence.route,
    )


def _given(source: SourceSentence) -> Postprocessed:
    """What needs no model."""
    return Postprocessed(
        text=source.preprocessed.given if source.preprocessed else source.segment.text
    )


def _unchanged() -> Hypothesis:
    return Hypothesis(
        target_ids=(), token_log_probs=(), finish_reason="stop", has_ended=True, score=0.0
    )
