"""The model's output as the translation of a sentence: case, symbols and bullets restored."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.engine.search.options import Hypothesis
from service.inspection.token_pairs import source_offsets, target_offsets
from service.scheduling.job import JobResult
from service.scheduling.slices import SENTENCES_A_BREATH, breathe
from service.text.alignment.word_links import WordLink, transfer_links, word_links
from service.text.masking.edits import Rewritten
from service.text.masking.names import KnownWords
from service.text.masking.preprocessing import Preprocessed
from service.text.masking.symbols import place_by_alignment
from service.translation.sentences.doubt import confidence_in, doubtful_spans, marked_words
from service.translation.sentences.source_text import SourceSentence
from service.translation.sentences.target_text import Postprocessed, TranslatedSentence
from service.translation.values import TranslatedWord

_NO_CHARACTER = "\ufffd"


def postprocess_all(
    sentences: Sequence[SourceSentence],
    results: Sequence[JobResult | None],
    bundle: Bundle,
    pair: LanguagePair,
    *,
    with_words: bool = False,
) -> list[TranslatedSentence]:
    """Translated sentences from what the model generated.

    Args:
        sentences: The sources.
        results: Of each sentence; None where no model ran.
        bundle: Of the model.
        pair: The direction.
        with_words: Rate the words of the best hypotheses.
    """
    found: list[TranslatedSentence] = []
    for sentence, result in zip(sentences, results, strict=True):
        found.append(
            _untranslated(sentence, with_words=with_words)
            if result is None
            else _translated(sentence, result.hypotheses, bundle, pair, with_words=with_words)
        )
        if len(found) % SENTENCES_A_BREATH == 0:
            breathe()
    return found


def postprocess(
    sentence: SourceSentence,
    hypothesis: Hypothesis,
    bundle: Bundle,
    pair: LanguagePair,
    attention: NDArray[np.float32] | None = None,
    *,
    with_words: bool = False,
) -> Postprocessed:
    """The translation of a sentence from one hypothesis.

    Args:
        sentence: With token ids.
        hypothesis: What the model generated.
        bundle: Of the model.
        pair: The direction.
        attention: A row for each target token, a column for each source token, float32; lets words
            be linked, and placeholders be placed that the model lost.
        with_words: Rate the words of the translation.
    """
    preprocessed = sentence.preprocessed
    assert preprocessed is not None, "it has token ids"
    output = bundle.tokenizer.decode_target(hypothesis.target_ids)
    recased = preprocessed.recased(output)
    core = preprocessed.unmasked(recased)
    mended = Rewritten(text=recased) if core is None else _mended(core, sentence, bundle)
    keeps_numbers = core is None or preprocessed.keeps_numbers(mended.text)

    def words(*edits: Rewritten) -> tuple[TranslatedWord, ...]:
        return _words(preprocessed, edits, hypothesis, bundle, recased) if with_words else ()

    if attention is None and core is not None:
        return Postprocessed(
            text=preprocessed.whole(mended.text),
            words=words(core, mended),
            keeps_numbers=keeps_numbers,
        )
    cleaned = _cleaned(output, preprocessed.text)
    if cleaned != output:
        recased = preprocessed.recased(cleaned)
    links: tuple[WordLink, ...] = ()
    if attention is not None:
        shown = source_offsets(preprocessed.text, sentence.source_ids, bundle, pair)
        found = target_offsets(hypothesis.target_ids, bundle)
        links = transfer_links(word_links(attention, shown, found), output, recased)
    if core is None:
        core = place_by_alignment(recased, links, preprocessed.masked)
        mended = Rewritten(text=recased) if core is None else _mended(core, sentence, bundle)
    target = core or Rewritten(text=recased)
    return Postprocessed(
        text=preprocessed.whole(mended.text),
        words=words(target, mended),
        is_complete=core is not None,
        keeps_numbers=keeps_numbers,
        links=None
        if attention is None
        else tuple(_in_sentence(link, preprocessed, target, mended) for link in links),
    )


def target_tokens(hypothesis: Hypothesis, bundle: Bundle) -> tuple[str, ...]:
    """Pieces of a hypothesis, with `</s>` where the model ended it."""
    end = [bundle.manifest.special_ids.eos] if hypothesis.has_ended else []
    return tuple(bundle.tokenizer.target_pieces([*hypothesis.target_ids, *end]))


def _words(
    preprocessed: Preprocessed,
    edits: Sequence[Rewritten],
    hypothesis: Hypothesis,
    bundle: Bundle,
    recased: str,
) -> tuple[TranslatedWord, ...]:
    """The words of a whole translation.

    Args:
        preprocessed: Of the source.
        edits: From `recased` to the translation of the core, one after the other.
        hypothesis: What the model generated.
        bundle: Of the model.
        recased: That as text, in the case of the source.
    """
    doubtful = doubtful_spans(hypothesis, bundle, recased)
    for edit in edits:
        doubtful = [edit.new_span(*span) for span in doubtful]
    offset = preprocessed.offset
    shown = [(start + offset, end + offset) for start, end in doubtful]
    return marked_words(preprocessed.whole(edits[-1].text), shown)


def _translated(
    sentence: SourceSentence,
    hypotheses: Sequence[Hypothesis],
    bundle: Bundle,
    pair: LanguagePair,
    *,
    with_words: bool,
) -> TranslatedSentence:
    """A sentence with the translations of its hypotheses, and the tokens of the best."""
    best, *others = hypotheses
    return TranslatedSentence(
        source=sentence,
        hypotheses=tuple(hypotheses),
        source_tokens=tuple(bundle.tokenizer.source_pieces(sentence.source_ids)),
        target_tokens=target_tokens(best, bundle),
        confidence=confidence_in(best, bundle),
        best=postprocess(sentence, best, bundle, pair, with_words=with_words),
        alternatives=tuple(postprocess(sentence, other, bundle, pair) for other in others),
    )


def _untranslated(sentence: SourceSentence, *, with_words: bool) -> TranslatedSentence:
    """A sentence that needs no model; glossary terms are replaced all the same."""
    preprocessed = sentence.preprocessed
    text = sentence.segment.text if preprocessed is None else preprocessed.without_model()
    words = marked_words(text, ()) if with_words else ()
    return TranslatedSentence(source=sentence, best=Postprocessed(text=text, words=words))


def _cleaned(target: str, source: str) -> str:
    """`target` without white space around it and without bytes that are no character."""
    return target.strip() if _NO_CHARACTER in source else target.replace(_NO_CHARACTER, "").strip()


def _mended(core: Rewritten, sentence: SourceSentence, bundle: Bundle) -> Rewritten:
    """The translation with the numbers and unknown names of the source.

    One that a client began stays as it is.
    """
    preprocessed = sentence.preprocessed
    if preprocessed is None or sentence.prefix_ids:
        return Rewritten(text=core.text)
    return preprocessed.mended(core.text, _known_words(preprocessed, bundle))


def _known_words(preprocessed: Preprocessed, bundle: Bundle) -> KnownWords | None:
    """The words of both languages; None where the bundle lacks those of one."""
    filters = bundle.known_words
    source = filters.get(preprocessed.source_language)
    target = filters.get(preprocessed.target_language)
    if source is None or target is None:
        return None
    return KnownWords(source=source, target=target)


def _in_sentence(
    link: WordLink, preprocessed: Preprocessed, core: Rewritten, mended: Rewritten
) -> WordLink:
    """A link in what the model saw and generated as one of the sentence and its translation."""
    offset = preprocessed.offset
    source = preprocessed.source_span(*link.source)
    target_start, target_end = mended.new_span(*core.new_span(*link.target))
    return WordLink(
        source=source,
        target=(target_start + offset, target_end + offset),
        weight=link.weight,
    )
