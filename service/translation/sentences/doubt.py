"""Doubt about a sentence: how far it can be trusted, and which of its words cannot."""

from collections.abc import Sequence
from dataclasses import replace

from bundle.doubt import DEFAULT_DOUBT, confidence, word_log_probs
from bundle.manifest import Doubt
from bundle.reader import Bundle
from service.engine.search.options import Hypothesis
from service.inspection.token_pairs import target_offsets
from service.text.alignment.word_links import Span, words
from service.text.checks import Check, check
from service.text.invisible import INVISIBLE
from service.translation.sentences.target_text import TranslatedSentence
from service.translation.values import Confidence, TranslatedWord


def confidence_in(hypothesis: Hypothesis, bundle: Bundle) -> Confidence | None:
    """Confidence in what a model generated; 0 where it was cut off.

    Returns:
        None without log-probabilities: greedy search computes them on request only.
    """
    if not hypothesis.token_log_probs:
        return None
    doubt = doubt_of(bundle)
    value = confidence(doubt, hypothesis.token_log_probs) if hypothesis.has_ended else 0.0
    return Confidence(value=value, is_low=value < doubt.low_confidence)


def confidence_by_way(
    first: Confidence | None, second: Confidence | None, bundle: Bundle
) -> Confidence | None:
    """Confidence in a sentence by way of a third language: both models have to be right.

    Args:
        first: In the first translation.
        second: In its translation.
        bundle: Of the second model, whose limit counts.
    """
    if first is None or second is None:
        return None
    value = first.value * second.value
    return Confidence(value=value, is_low=value < doubt_of(bundle).low_confidence)


def doubtful_spans(hypothesis: Hypothesis, bundle: Bundle, shown: str) -> list[Span]:
    """Where an output has doubtful words.

    Args:
        hypothesis: Of the model.
        bundle: Of the model.
        shown: The output in other case, or without broken characters. If it has another number of
            words, none is marked.
    """
    output, limit = target_offsets(hypothesis.target_ids, bundle), doubt_of(bundle).low_word
    rated = word_log_probs(output.text, output.spans, hypothesis.token_log_probs)
    spans = [span for span, log_prob in rated if log_prob < limit]
    if shown == output.text:
        return spans
    before, after = words(output.text), words(shown)
    if len(before) != len(after):
        return []
    moved = dict(zip(before, after, strict=True))
    return [moved[span] for span in spans]


def marked_words(text: str, doubtful: Sequence[Span]) -> tuple[TranslatedWord, ...]:
    """The words of a translation; those that share a character with a doubtful span are marked.

    Args:
        text: Of the sentence.
        doubtful: In it, in order.
    """
    found: list[TranslatedWord] = []
    first = 0
    for start, end in words(text):
        if not any(character.isalnum() for character in text[start:end]):
            continue
        while first < len(doubtful) and doubtful[first][1] <= start:
            first += 1
        is_marked = first < len(doubtful) and doubtful[first][0] < end
        found.append(TranslatedWord(text=text[start:end], start=start, end=end, doubt=is_marked))
    return tuple(found)


def checked(
    sentences: Sequence[TranslatedSentence], source_language: str, target_language: str
) -> list[TranslatedSentence]:
    """The sentences, those that are not just copied with their checks."""

    def checks(sentence: TranslatedSentence) -> tuple[Check, ...]:
        source, target = sentence.source.segment.text, sentence.best.text
        if not INVISIBLE.search(source):
            return check(source, target, source_language, target_language)
        visible = sentence.source.visible
        return tuple(
            replace(each, source_span=each.source_span and visible.whole_span(*each.source_span))
            for each in check(visible.text, target, source_language, target_language)
        )

    return [
        replace(s, checks=checks(s)) if s.hypotheses or s.is_remembered else s for s in sentences
    ]


def doubt_of(bundle: Bundle) -> Doubt:
    """What doubt is computed with: the bundle's own, or the default."""
    return bundle.manifest.doubt or DEFAULT_DOUBT
