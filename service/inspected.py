"""Pairs of texts on their way to an attention pass, and back from it."""

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.errors import TextTooLongError
from service.inspection import TokenPair
from service.source_text import check_unicode
from service.target_text import TranslatedSentence
from service.text.alignment import transferred, word_links
from service.tokenized import made_text, shown_text
from service.translation import AttentionMaps, InspectedPair, InspectedSentence, Translation


def generated_pair(sentence: TranslatedSentence, eos: int) -> TokenPair:
    """A sentence and its best translation, exactly as they went through the model."""
    best = sentence.hypotheses[0]
    ended = best.has_ended
    return TokenPair(
        source_ids=sentence.source.source_ids,
        # A translation that was cut off has no end token, and perhaps no position left for it.
        target_ids=(*best.target_ids, eos) if ended else best.target_ids,
    )


def token_pair(text: str, translation: str, bundle: Bundle, pair: LanguagePair) -> TokenPair:
    """A text and a translation that somebody gave, tokenised.

    Raises:
        InvalidRequestError: One of them is no valid Unicode.
        TextTooLongError: One of them does not fit into the model.
    """
    for side in (text, translation):
        check_unicode(side)
    manifest = bundle.manifest
    source_ids = tuple(bundle.tokenizer.encode_source(text.strip(), pair))
    target_ids = tuple(bundle.tokenizer.encode_target(translation.strip()))
    _check_length("text", len(source_ids), manifest.max_source_tokens)
    _check_length("translation", len(target_ids), manifest.max_target_tokens)
    return TokenPair(source_ids=source_ids, target_ids=target_ids)


def _check_length(name: str, num_tokens: int, limit: int) -> None:
    if num_tokens > limit:
        raise TextTooLongError(
            f"Invalid request: the {name} has {num_tokens} tokens; the limit is {limit}: "
            "inspect it sentence by sentence"
        )


def whole_pair(
    text: str, translation: str, attention: AttentionMaps, bundle: Bundle, pair: LanguagePair
) -> InspectedPair:
    """A text and a given translation, inspected as one sentence."""
    tokens = token_pair(text, translation, bundle, pair)
    source, target = text.strip(), translation.strip()
    made = made_text(tokens.target_ids, bundle)
    shown = shown_text(source, tokens.source_ids, bundle, pair)
    links = word_links(attention.alignment.tolist(), shown, made)
    sentence = InspectedSentence(
        source=source,
        translation=target,
        links=transferred(links, made.text, target),
        source_span=_stripped_span(text),
        target_span=_stripped_span(translation),
        attention=attention,
    )
    return InspectedPair(source=text, translation=translation, sentences=(sentence,))


def _stripped_span(text: str) -> tuple[int, int]:
    start = len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def sentence_pairs(text: str, translation: Translation) -> InspectedPair:
    """A text and our translation, inspected sentence by sentence."""
    return InspectedPair(
        source=text,
        translation=translation.text,
        sentences=tuple(
            InspectedSentence(
                source=sentence.source,
                translation=sentence.translation,
                source_span=sentence.source_span,
                target_span=sentence.target_span,
                links=sentence.alignment or (),
                attention=sentence.attention,
            )
            for sentence in translation.sentences
            if sentence.attention
        ),
    )
