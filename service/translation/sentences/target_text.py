"""Texts after the model: translated sentences, joined by what stood between them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.engine.search.options import Hypothesis
from service.inspection.replay import SearchReplay
from service.inspection.values import AttentionMaps
from service.text.alignment.no_break_spaces import NO_BREAK_SPACES, keep_no_break_spaces
from service.text.alignment.word_links import Span, WordLink
from service.text.checks import Check
from service.text.markup.document import write_markup
from service.text.markup.passage import Passage
from service.text.masking.inflection import find_terms
from service.text.segmentation.segment import join
from service.text.tags.placement import place_tags
from service.translation.sentences.source_text import (
    SourcePassage,
    SourceSentence,
    SourceText,
    SourceTexts,
)
from service.translation.values import (
    Confidence,
    RouteStep,
    SentenceTranslation,
    Suggestion,
    TermOutcome,
    TranslatedWord,
    Translation,
    UsedTerm,
)

_NO_MODEL = Hypothesis(
    target_ids=(), token_log_probs=(), finish_reason="stop", has_ended=True, score=0.0
)
"""Stands in the details of sentences that no model translated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postprocessed:
    """The translation of a sentence, with everything restored that the model never saw."""

    text: str
    is_complete: bool = True
    """False if something protected is missing or doubled."""
    keeps_numbers: bool = True
    """False if a number is missing, made up or changed."""
    links: tuple[WordLink, ...] | None = None
    """Words of the sentence with words of `text`; None where they were not computed."""
    words: tuple[TranslatedWord, ...] = ()
    """Words of `text` with their doubt; empty where they were not computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedSentence:
    """A sentence and its translations."""

    source: SourceSentence
    best: Postprocessed
    alternatives: tuple[Postprocessed, ...] = ()
    """Second best first."""
    hypotheses: tuple[Hypothesis, ...] = ()
    """What the model generated for `best` and `alternatives`; empty where no model ran."""
    source_tokens: tuple[str, ...] = ()
    target_tokens: tuple[str, ...] = ()
    """Tokens of the best hypothesis; `</s>` last where the model ended it."""
    confidence: Confidence | None = None
    """Confidence in `best`; None without log-probabilities, or where no model ran."""
    checks: tuple[Check, ...] = ()
    """Checks of `best`, where they were requested."""
    attention: AttentionMaps | None = None
    """Only where it was requested."""
    search: SearchReplay | None = None
    """Only where it was requested."""
    route: tuple[RouteStep, ...] = ()
    """What each model did, where there were several."""
    is_remembered: bool = False
    """Whether `best` is from the translation memory."""
    suggestions: tuple[Suggestion, ...] = ()
    """Similar sentences of the translation memory."""

    def ranked(self, rank: int) -> Postprocessed:
        """The `rank`-th best complete translation, or the last there is."""
        if not rank:
            return self.best
        complete = [each for each in self.alternatives if each.is_complete]
        choices = [self.best, *complete]
        return choices[min(rank, len(choices) - 1)]


def assemble_all(
    source: SourceTexts, sentences: Sequence[TranslatedSentence], num_alternatives: int
) -> tuple[Translation, ...]:
    """Joins translated sentences to texts.

    Args:
        source: The texts as they were read.
        sentences: The translation of each of its sentences.
        num_alternatives: Most further texts to make of each.
    """
    return tuple(_assemble(text, sentences, num_alternatives) for text in source.texts)


def passage_links(
    sentences: Sequence[TranslatedSentence], chosen: Sequence[Postprocessed]
) -> list[WordLink]:
    """Links of all sentences with offsets in their passage; untranslated ones are linked whole.

    Args:
        sentences: Of one passage.
        chosen: One translation of each.
    """
    links: list[WordLink] = []
    offset = 0
    for sentence, translation in zip(sentences, chosen, strict=True):
        segment = sentence.source.segment
        links += [
            WordLink(
                source=_moved(link.source, segment.start),
                target=_moved(link.target, offset),
                weight=link.weight,
            )
            for link in _links(segment.text, translation)
        ]
        offset += len(translation.text) + len(segment.separator)
    return links


def _assemble(
    text: SourceText, sentences: Sequence[TranslatedSentence], num_alternatives: int
) -> Translation:
    main = _written(text, sentences, 0)
    return Translation(
        text=main,
        alternatives=_alternatives(text, sentences, main, num_alternatives),
        sentences=tuple(_all_details(text, sentences)),
    )


def _written(text: SourceText, sentences: Sequence[TranslatedSentence], rank: int) -> str:
    """The text with the `rank`-th best translation of every sentence."""
    parts = [part if isinstance(part, str) else _passage(part, sentences, rank) for part in text]
    if any(isinstance(part, Passage) for part in parts):
        return write_markup(parts)
    return "".join(part for part in parts if isinstance(part, str))


def _passage(
    passage: SourcePassage, all_sentences: Sequence[TranslatedSentence], rank: int
) -> str | Passage:
    sentences = [all_sentences[index] for index in passage.sentences]
    chosen = [sentence.ranked(rank) for sentence in sentences]
    segments = [sentence.source.segment for sentence in sentences]
    target = "".join(c.text + s.separator for c, s in zip(chosen, segments, strict=True))
    if passage.markup is None and not any(
        NO_BREAK_SPACES.intersection(segment.text + segment.separator) for segment in segments
    ):
        return target
    links = passage_links(sentences, chosen)
    target = keep_no_break_spaces(join(segments), target, links)
    if passage.markup is None:
        return target
    tags = place_tags(passage.markup.tags, passage.markup.text, target, links)
    return replace(passage.markup, text=target, tags=tags)


def _links(source: str, translation: Postprocessed) -> Sequence[WordLink]:
    if translation.links or not source or not translation.text:
        return translation.links or ()
    if source == translation.text:
        return [WordLink(source=(i, i + 1), target=(i, i + 1)) for i in range(len(source))]
    return [WordLink(source=(0, len(source)), target=(0, len(translation.text)))]


def _moved(span: Span, offset: int) -> Span:
    return span[0] + offset, span[1] + offset


def _alternatives(
    text: SourceText, sentences: Sequence[TranslatedSentence], main: str, count: int
) -> tuple[str, ...]:
    """Up to `count` further texts: the i-th joins the i-th best translation of every sentence.

    A sentence with fewer translations contributes its last. Equal texts, which two tokenisations
    can spell, are returned once.
    """
    if not count:
        return ()
    found = {main: None}
    own = (i for part in text if not isinstance(part, str) for i in part.sentences)
    most = max((len(sentences[i].hypotheses) for i in own), default=0)
    for rank in range(1, most):
        found[_written(text, sentences, rank)] = None
    return tuple(found)[1 : count + 1]


def _all_details(
    text: SourceText, sentences: Sequence[TranslatedSentence]
) -> list[SentenceTranslation]:
    """Details of every sentence; offsets in a marked-up text count in its joined passages."""
    details: list[SentenceTranslation] = []
    source_offset = target_offset = 0
    for passage in text:
        if isinstance(passage, str):
            continue
        for index in passage.sentences:
            sentence = sentences[index]
            segment = sentence.source.segment
            if segment.text:
                span = _moved(_source_span(passage, sentence.source), source_offset)
                details.append(_details(sentence, span, target_offset))
            target_offset += len(sentence.best.text) + len(segment.separator)
        source_offset += len(passage.markup.text) if passage.markup else 0
    return details


def _source_span(passage: SourcePassage, sentence: SourceSentence) -> Span:
    """Offsets of a sentence in what the client sent; it must not be empty."""
    start = sentence.segment.start
    end = start + len(sentence.segment.text)
    if passage.unwrapped is None:
        return start, end
    return passage.unwrapped.source_offset(start), passage.unwrapped.source_offset(end - 1) + 1


def _details(sentence: TranslatedSentence, source_span: Span, offset: int) -> SentenceTranslation:
    source, best = sentence.source, sentence.best
    generated = sentence.hypotheses[0] if sentence.hypotheses else _NO_MODEL
    return SentenceTranslation(
        source=source.segment.text,
        translation=best.text,
        source_span=source_span,
        target_span=(offset, offset + len(best.text)),
        source_tokens=sentence.source_tokens,
        target_tokens=sentence.target_tokens,
        score=generated.log_prob,
        token_log_probs=generated.token_log_probs,
        finish_reason=generated.finish_reason,
        truncated=not generated.has_ended,
        placeholders_ok=best.is_complete,
        case=source.preprocessed.case if source.preprocessed else "as_is",
        confidence=_confidence(sentence),
        is_doubtful=sentence.confidence is not None and sentence.confidence.is_low,
        words=best.words,
        checks=sentence.checks,
        alignment=best.links,
        glossary=_used_terms(source, best.text),
        attention=sentence.attention,
        search=sentence.search,
        route=sentence.route,
        origin="memory" if sentence.is_remembered else None,
        suggestions=sentence.suggestions or None,
    )


def _used_terms(source: SourceSentence, target: str) -> tuple[UsedTerm, ...]:
    """What became of the glossary terms of a sentence."""
    terms = source.preprocessed.terms if source.preprocessed else ()
    if not terms:
        return ()
    outcome: TermOutcome = "model" if source.shows_terms else "enforced"
    return tuple(
        UsedTerm(
            source=term.source,
            target=term.target,
            outcome="missing" if span is None else outcome,
            target_span=span,
        )
        for term, span in zip(terms, find_terms(terms, target), strict=True)
    )


def _confidence(sentence: TranslatedSentence) -> float | None:
    if not sentence.hypotheses:
        return 1.0  # copied, or made by a person: no model can be wrong about it
    return None if sentence.confidence is None else round(sentence.confidence.value, 4)
