"""Words of a sentence linked with words of a translation that no model has made."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from service.errors import InvalidRequestError
from service.inspection.token_pairs import TokenPair, pair_links, token_pair
from service.translation.sentences.target_text import TranslatedSentence


def given_pairs(
    sentences: Sequence[TranslatedSentence], bundle: Bundle, pair: LanguagePair
) -> list[TokenPair | None]:
    """The tokens of sentences and of their translations; None where the model cannot read them."""
    return [_given_pair(sentence, bundle, pair) for sentence in sentences]


def with_links(
    sentence: TranslatedSentence,
    tokens: TokenPair,
    attention: NDArray[np.float32],
    bundle: Bundle,
    pair: LanguagePair,
) -> TranslatedSentence:
    """A sentence whose words are linked with those of its translation.

    Args:
        sentence: With a given translation.
        tokens: Of both.
        attention: The alignment head's, float32 [target, source].
        bundle: Of the model.
        pair: The direction.
    """
    source, target = sentence.source.segment.text, sentence.best.text
    links = pair_links(source, target, tokens, attention, bundle, pair)
    return replace(sentence, best=replace(sentence.best, links=links))


def _given_pair(
    sentence: TranslatedSentence, bundle: Bundle, pair: LanguagePair
) -> TokenPair | None:
    try:
        return token_pair(sentence.source.segment.text, sentence.best.text, bundle, pair)
    except InvalidRequestError:  # longer than the model's limit, or no Unicode
        return None
