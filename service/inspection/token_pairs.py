"""Token ids and offsets of the sentence pairs that an attention pass reads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.errors import TextTooLongError
from service.inspection.values import (
    AttentionMaps,
    InspectedPair,
    InspectedSentence,
)
from service.text.alignment.word_links import (
    TokenizedText,
    WordLink,
    transfer_links,
    word_links,
)
from service.text.invisible import visible_part
from service.text.unicode import check_unicode


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """Token ids of a sentence and of its translation."""

    source_ids: tuple[int, ...]
    """End token included."""
    target_ids: tuple[int, ...]
    """Without start token; with the end token if the translation has one."""


def token_pair(text: str, translation: str, bundle: Bundle, pair: LanguagePair) -> TokenPair:
    """Tokenises a text and a given translation of it, without their invisible characters.

    Raises:
        InvalidRequestError: One of them is not valid Unicode.
        TextTooLongError: One of them exceeds the model's limit.
    """
    for each in (text, translation):
        check_unicode(each)
    manifest = bundle.manifest
    source_ids = tuple(bundle.tokenizer.encode_source(visible_part(text.strip()).text, pair))
    target_ids = tuple(bundle.tokenizer.encode_target(visible_part(translation.strip()).text))
    _check_length("text", len(source_ids), manifest.max_source_tokens)
    _check_length("translation", len(target_ids), manifest.max_target_tokens)
    return TokenPair(source_ids=source_ids, target_ids=target_ids)


def _check_length(name: str, num_tokens: int, limit: int) -> None:
    if num_tokens > limit:
        raise TextTooLongError(
            f"Invalid request: the {name} has {num_tokens} tokens; the limit is {limit}: "
            "inspect it sentence by sentence"
        )


def inspected_pair(
    text: str,
    translation: str,
    tokens: TokenPair,
    attention: AttentionMaps,
    bundle: Bundle,
    pair: LanguagePair,
) -> InspectedPair:
    """A text and a given translation, inspected as one sentence.

    Args:
        text: The source.
        translation: As the client gave it.
        tokens: Of both.
        attention: Of `tokens`.
        bundle: Of the model.
        pair: The direction.
    """
    source, target = text.strip(), translation.strip()
    sentence = InspectedSentence(
        source=source,
        translation=target,
        links=pair_links(source, target, tokens, attention.alignment, bundle, pair),
        source_span=_stripped_span(text),
        target_span=_stripped_span(translation),
        attention=attention,
    )
    return InspectedPair(source=text, translation=translation, sentences=(sentence,))


def pair_links(
    source: str,
    target: str,
    tokens: TokenPair,
    alignment: NDArray[np.float32],
    bundle: Bundle,
    pair: LanguagePair,
) -> tuple[WordLink, ...]:
    """The words of a text linked with those of a given translation.

    Args:
        source: Without white space at either end, as is `target`.
        target: The translation.
        tokens: Of both.
        alignment: The alignment head's attention, float32 [target, source].
        bundle: Of the model.
        pair: The direction.
    """
    seen = visible_part(source)
    shown = source_offsets(seen.text, tokens.source_ids, bundle, pair)
    generated = target_offsets(tokens.target_ids, bundle)
    links = word_links(alignment, shown, generated)
    return tuple(
        replace(link, source=seen.whole_span(*link.source))
        for link in transfer_links(links, generated.text, target)
    )


def _stripped_span(text: str) -> tuple[int, int]:
    start = len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def source_offsets(
    text: str, source_ids: Sequence[int], bundle: Bundle, pair: LanguagePair
) -> TokenizedText:
    """A source with the offsets of its tokens; language prefix and end token have none."""
    prefix = [(0, 0)] * (pair.source_prefix is not None)
    spans = [*prefix, *bundle.tokenizer.source_spans(text)]
    spans += [(0, 0)] * (len(source_ids) - len(spans))
    return TokenizedText(text=text, spans=tuple(spans))


def decoded_source_offsets(source_ids: Sequence[int], bundle: Bundle) -> TokenizedText:
    """The source that ids stand for, with their offsets in it."""
    text, spans = bundle.tokenizer.source_text_and_spans(source_ids)
    return TokenizedText(text=text, spans=tuple(spans))


def target_offsets(target_ids: Sequence[int], bundle: Bundle) -> TokenizedText:
    """The translation that ids stand for, with their offsets in it."""
    text, spans = bundle.tokenizer.target_text_and_spans(target_ids)
    return TokenizedText(text=text, spans=tuple(spans))
