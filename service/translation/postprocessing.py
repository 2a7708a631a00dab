"""What the model never saw, back in its translations: capitals, placeholders, terms, bullets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.engine.search.options import Hypothesis
from service.inspection.token_pairs import source_offsets, target_offsets
from service.text.alignment.word_links import WordLink, transfer_links, word_links
from service.text.masking.edits import Protected, Rewritten
from service.text.masking.preprocessing import Preprocessed
from service.text.masking.symbols import cut_around, place_by_alignment
from service.text.shape import needs_model
from service.translation.source_text import SourceSentence, TextReader
from service.translation.target_text import Postprocessed

_NO_CHARACTER = "\ufffd"


def postprocess(
    sentence: SourceSentence,
    hypothesis: Hypothesis,
    bundle: Bundle,
    attention: Sequence[Sequence[float]] | None = None,
    *,
    pair: LanguagePair,
) -> Postprocessed:
    """The translation of a sentence that a model translated.

    Args:
        sentence: With token ids.
        hypothesis: What the model made of it.
        bundle: Of the model.
        attention: One row for each target token, one column for each source token; it lets
            placeholders be placed that the model lost, and words be linked.
        pair: The direction.
    """
    preprocessed = sentence.preprocessed
    assert preprocessed is not None, "it has token ids"
    target = bundle.tokenizer.decode_target(hypothesis.target_ids)
    recased = preprocessed.recased(_cleaned(target, preprocessed.text))
    links: tuple[WordLink, ...] = ()
    if attention is not None:
        shown = source_offsets(preprocessed.text, sentence.source_ids, bundle, pair)
        found = target_offsets(hypothesis.target_ids, bundle)
        links = transfer_links(word_links(attention, shown, found), target, recased)
    revealed = preprocessed.reveal(target) or place_by_alignment(
        recased, links, preprocessed.masked
    )
    core = revealed or Rewritten(text=recased)
    return Postprocessed(
        text=preprocessed.whole(core.text),
        is_complete=revealed is not None,
        links=None
        if attention is None
        else tuple(_outer(link, preprocessed, core) for link in links),
    )


def _cleaned(target: str, source: str) -> str:
    """Without white space around it, and without bytes that are no character."""
    return target.strip() if _NO_CHARACTER in source else target.replace(_NO_CHARACTER, "").strip()


def _outer(link: WordLink, preprocessed: Preprocessed, core: Rewritten) -> WordLink:
    """A link between what the model saw and said, as one of the sentence and its translation."""
    offset = preprocessed.offset
    start, end = preprocessed.masked.rewritten.old_span(*link.source)
    target_start, target_end = core.new_span(*link.target)
    return WordLink(
        source=(start + offset, end + offset),
        target=(target_start + offset, target_end + offset),
        weight=link.weight,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Patchwork:
    """The pieces of a sentence."""

    sentence: SourceSentence
    preprocessed: Preprocessed
    pieces: tuple[str | Protected, ...]
    """Joined they are what the model sees of the sentence as a whole."""
    source_ids: tuple[tuple[int, ...], ...]
    """Of the pieces that are to be translated, in order."""


def cut(sentence: SourceSentence, reader: TextReader) -> Patchwork:
    """Cut a sentence around everything in it that is protected."""
    preprocessed = sentence.preprocessed
    assert preprocessed is not None, "it was translated"
    pieces = tuple(cut_around(preprocessed.masked.text, preprocessed.masked.protected))
    return Patchwork(
        sentence=sentence,
        preprocessed=preprocessed,
        pieces=pieces,
        source_ids=tuple(reader.encode(p.strip()) for p in pieces if _is_translated(p)),
    )


def sew(
    patchwork: Patchwork, hypotheses: Sequence[Hypothesis], bundle: Bundle
) -> tuple[Hypothesis, Postprocessed]:
    """The translation of the whole sentence out of those of its pieces, which keep their order."""
    preprocessed = patchwork.preprocessed
    translated = iter(hypotheses)
    texts = [_sewn(piece, translated, preprocessed, bundle) for piece in patchwork.pieces]
    links = tuple(_links(patchwork, texts))
    return joined(hypotheses), Postprocessed(text=preprocessed.whole("".join(texts)), links=links)


def joined(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """One hypothesis for all parts of a sentence; it has ended only if all of them have."""
    unended = [h for h in hypotheses if h.finish_reason != "stop"]
    return Hypothesis(
        target_ids=tuple(i for h in hypotheses for i in h.target_ids),
        token_log_probs=tuple(p for h in hypotheses for p in h.token_log_probs),
        finish_reason=unended[0].finish_reason if unended else "stop",
        has_ended=all(h.has_ended for h in hypotheses),
        score=sum(h.score for h in hypotheses),
    )


def _is_translated(piece: str | Protected) -> TypeGuard[str]:
    return isinstance(piece, str) and needs_model(piece)


def _sewn(
    piece: str | Protected,
    translated: Iterator[Hypothesis],
    preprocessed: Preprocessed,
    bundle: Bundle,
) -> str:
    if isinstance(piece, Protected):
        return piece.replacement
    if not _is_translated(piece):
        return piece
    text = preprocessed.recased(bundle.tokenizer.decode_target(next(translated).target_ids))
    leading = piece[: len(piece) - len(piece.lstrip())]
    return leading + text + piece[len(piece.rstrip()) :]


def _links(patchwork: Patchwork, texts: Sequence[str]) -> Iterator[WordLink]:
    """Each piece with what became of it."""
    preprocessed = patchwork.preprocessed
    start = target_start = 0
    for piece, text in zip(patchwork.pieces, texts, strict=True):
        length = len(piece) if isinstance(piece, str) else piece.end - piece.start
        source = preprocessed.masked.rewritten.old_span(start, start + length)
        target = (target_start, target_start + len(text))
        yield WordLink(
            source=(source[0] + preprocessed.offset, source[1] + preprocessed.offset),
            target=(target[0] + preprocessed.offset, target[1] + preprocessed.offset),
        )
        start, target_start = start + length, target[1]
