"""Texts with the places of the model's tokens in them."""

from collections.abc import Sequence

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.text.alignment import TokenizedText


def shown_text(
    text: str, source_ids: Sequence[int], bundle: Bundle, pair: LanguagePair
) -> TokenizedText:
    """A source: the language prefix and the end token have places, but no characters."""
    prefix = [(0, 0)] * (pair.source_prefix is not None)
    spans = [*prefix, *bundle.tokenizer.source_spans(text)]
    spans += [(0, 0)] * (len(source_ids) - len(spans))
    return TokenizedText(text=text, spans=tuple(spans))


def read_text(source_ids: Sequence[int], bundle: Bundle) -> TokenizedText:
    """A source as the model sees it, where only its ids are known."""
    text, spans = bundle.tokenizer.source_text_and_spans(source_ids)
    return TokenizedText(text=text, spans=tuple(spans))


def made_text(target_ids: Sequence[int], bundle: Bundle) -> TokenizedText:
    """A target."""
    text, spans = bundle.tokenizer.target_text_and_spans(target_ids)
    return TokenizedText(text=text, spans=tuple(spans))
