"""A translation put together: sentences detokenised and joined by the original white space."""

from collections.abc import Sequence
from dataclasses import dataclass

from bundle.reader import Bundle
from service.engine.hypothesis import Hypothesis
from service.source_text import SourceSentence
from service.translation import AttentionMaps, SentenceTranslation, Translation


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedSentence:
    """A sentence and what the model made of it."""

    source: SourceSentence
    hypotheses: tuple[Hypothesis, ...] = ()
    """Best first; empty where the model was not asked."""
    attention: AttentionMaps | None = None


def assemble(
    sentences: Sequence[TranslatedSentence], bundle: Bundle, *, num_alternatives: int
) -> Translation:
    """Join the best translations of all sentences, and tell where each of them is."""
    details: list[SentenceTranslation] = []
    parts: list[str] = []
    offset = 0
    for sentence in sentences:
        segment = sentence.source.segment
        text = _text(sentence, 0, bundle)
        if segment.text:
            details.append(_details(sentence, text, offset, bundle))
        parts += [text, segment.separator]
        offset += len(text) + len(segment.separator)
    main = "".join(parts)
    return Translation(
        text=main,
        alternatives=_alternatives(sentences, bundle, main, num_alternatives),
        sentences=tuple(details),
    )


def target_pieces(target_ids: Sequence[int], bundle: Bundle, *, ended: bool) -> tuple[str, ...]:
    """Pieces of a translation, with the end token if the model `ended` it itself."""
    end = [bundle.manifest.special_ids.eos] if ended else []
    return tuple(bundle.tokenizer.target_pieces([*target_ids, *end]))


def _alternatives(
    sentences: Sequence[TranslatedSentence], bundle: Bundle, main: str, count: int
) -> tuple[str, ...]:
    """Up to `count` other texts: the i-th joins the i-th best translation of every sentence.

    A sentence with fewer translations contributes its last. Texts that come out equal, because
    two tokenisations spell the same, are left out.
    """
    if not count:
        return ()
    found = {main: None}
    for rank in range(1, max((len(s.hypotheses) for s in sentences), default=0)):
        text = "".join(_text(s, rank, bundle) + s.source.segment.separator for s in sentences)
        found[text] = None
    return tuple(found)[1 : count + 1]


def _text(sentence: TranslatedSentence, rank: int, bundle: Bundle) -> str:
    if not sentence.hypotheses:
        return sentence.source.segment.text
    hypothesis = sentence.hypotheses[min(rank, len(sentence.hypotheses) - 1)]
    return bundle.tokenizer.decode_target(hypothesis.target_ids)


def _details(
    sentence: TranslatedSentence, text: str, offset: int, bundle: Bundle
) -> SentenceTranslation:
    segment = sentence.source.segment
    best = sentence.hypotheses[0] if sentence.hypotheses else _unchanged()
    ended = bool(sentence.hypotheses) and best.has_ended
    return SentenceTranslation(
        source=segment.text,
        translation=text,
        source_span=(segment.start, segment.end),
        target_span=(offset, offset + len(text)),
        source_tokens=tuple(bundle.tokenizer.source_pieces(sentence.source.source_ids)),
        target_tokens=target_pieces(best.target_ids, bundle, ended=ended),
        score=best.log_prob,
        token_log_probs=best.token_log_probs,
        finish_reason=best.finish_reason,
        truncated=not best.has_ended,
        attention=sentence.attention,
    )


def _unchanged() -> Hypothesis:
    return Hypothesis(
        target_ids=(), token_log_probs=(), finish_reason="stop", has_ended=True, score=0.0
    )
