"""The last resort for placeholders: a sentence translated in fragments around them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from bundle.reader import Bundle
from service.engine.search.options import Hypothesis
from service.scheduling.job import JobResult
from service.text.alignment.word_links import Span, WordLink
from service.text.masking.preprocessing import Preprocessed
from service.text.masking.protected import Protected, cut_around
from service.text.masking.symbols import without_symbols
from service.text.shape import needs_model
from service.translation.sentences.doubt import confidence_in, doubtful_spans, marked_words
from service.translation.sentences.postprocessing import target_tokens
from service.translation.sentences.source_text import SourceSentence, TextReader
from service.translation.sentences.target_text import Postprocessed, TranslatedSentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragments:
    """A sentence cut around its protected spans."""

    sentence: SourceSentence
    preprocessed: Preprocessed
    parts: tuple[str | Protected, ...]
    """Joined they are what the model sees of the whole sentence."""
    source_ids: tuple[tuple[int, ...], ...]
    """Token ids of each part that has to be translated, in order."""


def cut_all(sentences: Sequence[SourceSentence], reader: TextReader) -> list[Fragments]:
    """Cuts every sentence: see `cut`."""
    return [cut(sentence, reader) for sentence in sentences]


def join_all(
    fragments: Sequence[Fragments],
    results: Sequence[JobResult],
    bundle: Bundle,
    *,
    with_words: bool = False,
) -> list[TranslatedSentence]:
    """The translations of whole sentences, from the results of all their fragments in order."""
    remaining = iter(results)
    return [
        join_fragments(
            each,
            [next(remaining).hypotheses[0] for _ in each.source_ids],
            bundle,
            with_words=with_words,
        )
        for each in fragments
    ]


def cut(sentence: SourceSentence, reader: TextReader) -> Fragments:
    """Cuts a sentence around everything in it that is protected."""
    preprocessed = sentence.preprocessed
    assert preprocessed is not None, "it was translated"
    parts = cut_around(preprocessed.masked.text, preprocessed.masked.protected)
    return Fragments(
        sentence=sentence,
        preprocessed=preprocessed,
        parts=tuple(parts),
        source_ids=tuple(reader.encode(part.strip()) for part in parts if _is_translated(part)),
    )


def join_fragments(
    fragments: Fragments,
    hypotheses: Sequence[Hypothesis],
    bundle: Bundle,
    *,
    with_words: bool = False,
) -> TranslatedSentence:
    """The translation of the whole sentence; its fragments keep their order.

    Args:
        fragments: Of the sentence.
        hypotheses: One for each of `fragments.source_ids`.
        bundle: Of the model.
        with_words: Rate the words of the translation.
    """
    preprocessed, sentence = fragments.preprocessed, fragments.sentence
    remaining = iter(hypotheses)
    texts = [_translation(part, remaining, preprocessed, bundle) for part in fragments.parts]
    links = tuple(_links(fragments, texts))
    whole = join_hypotheses(hypotheses)
    text = preprocessed.whole("".join(texts))
    doubtful = _doubtful(fragments, texts, hypotheses, bundle) if with_words else ()
    return TranslatedSentence(
        source=sentence,
        best=Postprocessed(
            text=text, links=links, words=marked_words(text, doubtful) if with_words else ()
        ),
        confidence=confidence_in(whole, bundle),
        hypotheses=(whole,),
        source_tokens=tuple(bundle.tokenizer.source_pieces(sentence.source_ids)),
        target_tokens=target_tokens(whole, bundle),
    )


def join_hypotheses(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """One hypothesis for all parts of a sentence; it has ended only if all of them have."""
    unended = [h for h in hypotheses if h.finish_reason != "stop"]
    return Hypothesis(
        target_ids=tuple(i for h in hypotheses for i in h.target_ids),
        token_log_probs=tuple(p for h in hypotheses for p in h.token_log_probs),
        finish_reason=unended[0].finish_reason if unended else "stop",
        has_ended=all(h.has_ended for h in hypotheses),
        score=sum(h.score for h in hypotheses),
    )


def _is_translated(part: str | Protected) -> TypeGuard[str]:
    return isinstance(part, str) and needs_model(part)


def _translation(
    part: str | Protected,
    remaining: Iterator[Hypothesis],
    preprocessed: Preprocessed,
    bundle: Bundle,
) -> str:
    """What a part becomes; takes the next hypothesis if it was translated."""
    if isinstance(part, Protected):
        return part.replacement
    if not _is_translated(part):
        return part
    output = bundle.tokenizer.decode_target(next(remaining).target_ids)
    made_up = preprocessed.masked.made_up(part)
    text = preprocessed.recased(without_symbols(output, made_up).text)
    leading = part[: len(part) - len(part.lstrip())]
    return leading + text + part[len(part.rstrip()) :]


def _doubtful(
    fragments: Fragments,
    texts: Sequence[str],
    hypotheses: Sequence[Hypothesis],
    bundle: Bundle,
) -> list[Span]:
    """Where the joined translation has doubtful words."""
    remaining = iter(hypotheses)
    found: list[Span] = []
    offset = fragments.preprocessed.offset
    for part, text in zip(fragments.parts, texts, strict=True):
        if _is_translated(part):
            shown = text.strip()
            start = offset + len(text) - len(text.lstrip())
            spans = doubtful_spans(next(remaining), bundle, shown)
            found += [(start + begin, start + end) for begin, end in spans]
        offset += len(text)
    return found


def _links(fragments: Fragments, texts: Sequence[str]) -> Iterator[WordLink]:
    """Links each part with what it became."""
    preprocessed = fragments.preprocessed
    offset = preprocessed.offset
    start = target_start = 0
    for part, text in zip(fragments.parts, texts, strict=True):
        length = len(part) if isinstance(part, str) else part.end - part.start
        target_end = target_start + len(text)
        yield WordLink(
            source=preprocessed.source_span(start, start + length),
            target=(target_start + offset, target_end + offset),
        )
        start, target_start = start + length, target_end
