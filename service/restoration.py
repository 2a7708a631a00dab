"""What the model never saw, back in its translations: capitals, placeholders, terms, bullets."""

from collections.abc import Sequence

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.engine.search.options import Hypothesis
from service.inspection.token_pairs import made_text, shown_text
from service.source_text import SourceSentence
from service.target_text import RestoredText
from service.text.alignment.word_links import WordLink, transferred, word_links
from service.text.masking.edits import Rewritten
from service.text.masking.preprocessing import Disguise
from service.text.masking.symbols import place_by_alignment

_NO_CHARACTER = "\ufffd"


def restore(
    sentence: SourceSentence,
    hypothesis: Hypothesis,
    bundle: Bundle,
    attention: Sequence[Sequence[float]] | None = None,
    *,
    pair: LanguagePair,
) -> RestoredText:
    """The translation of a sentence that a model translated.

    Args:
        sentence: With token ids.
        hypothesis: What the model made of it.
        bundle: Of the model.
        attention: One row for each target token, one column for each source token; it lets
            placeholders be placed that the model lost, and words be linked.
        pair: The direction.
    """
    guise = sentence.disguise
    assert guise is not None, "it has token ids"
    target = bundle.tokenizer.decode_target(hypothesis.target_ids)
    recased = guise.recased(_cleaned(target, guise.text))
    links: tuple[WordLink, ...] = ()
    if attention is not None:
        shown = shown_text(guise.text, sentence.source_ids, bundle, pair)
        found = made_text(hypothesis.target_ids, bundle)
        links = transferred(word_links(attention, shown, found), target, recased)
    revealed = guise.reveal(target) or place_by_alignment(recased, links, guise.masked)
    core = revealed or Rewritten(text=recased)
    return RestoredText(
        text=guise.whole(core.text),
        is_complete=revealed is not None,
        links=None if attention is None else tuple(_outer(link, guise, core) for link in links),
    )


def _cleaned(target: str, source: str) -> str:
    """Without white space around it, and without bytes that are no character."""
    return target.strip() if _NO_CHARACTER in source else target.replace(_NO_CHARACTER, "").strip()


def _outer(link: WordLink, guise: Disguise, core: Rewritten) -> WordLink:
    """A link between what the model saw and said, as one of the sentence and its translation."""
    offset = guise.offset
    start, end = guise.masked.rewritten.old_span(*link.source)
    target_start, target_end = core.new_span(*link.target)
    return WordLink(
        source=(start + offset, end + offset),
        target=(target_start + offset, target_end + offset),
        weight=link.weight,
    )
