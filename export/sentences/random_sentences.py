"""Random sentences of a vocabulary, to verify a model with where there is no development set."""

import random
from collections.abc import Iterator
from itertools import islice

from bundle.manifest import LanguagePair
from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.network import Network
from export.sentences.development_set import DevelopmentPair, DevelopmentSet, encode_pairs
from model.data.corpus import SentencePair

NAME = "made up"
NUM_SENTENCES = 24
MAX_PIECES = 24
"""Pieces of a sentence that are drawn."""
_MAX_ATTEMPTS = 20_000


def random_sentences(
    network: Network, tokenizer: Tokenizer, pairs: tuple[LanguagePair, ...]
) -> tuple[DevelopmentSet, ...]:
    """Sentences of random pieces, the same every time, evenly over the directions.

    They suffice to compare what two programs compute, but not to measure quality.

    Args:
        network: Limits the lengths.
        tokenizer: Of the pieces.
        pairs: Directions of the model.

    Raises:
        ExportError: The vocabulary makes too few texts that fit.
    """
    pairs = pairs[:NUM_SENTENCES]
    count = -(-NUM_SENTENCES // len(pairs))
    return tuple(
        DevelopmentSet(
            name=NAME,
            pair=pair,
            pairs=tuple(islice(_sentences(network, tokenizer, pair, seed), count)),
        )
        for seed, pair in enumerate(pairs)
    )


def _sentences(
    network: Network, tokenizer: Tokenizer, pair: LanguagePair, seed: int
) -> Iterator[DevelopmentPair]:
    generator = random.Random(seed)
    for _ in range(_MAX_ATTEMPTS):
        # Encoded again from the text: the canary is given as a text.
        fitting = encode_pairs(
            [_texts(tokenizer, generator)],
            tokenizer,
            pair,
            max_source=network.max_source_tokens,
            max_target=network.max_target_tokens,
        )
        if fitting and fitting[0].source.strip():
            yield fitting[0]
    raise ExportError("no sentence can be made of the vocabulary: give --dev")


def _texts(tokenizer: Tokenizer, generator: random.Random) -> SentencePair:
    source = _ids(generator, tokenizer.source_vocab_size)
    target = _ids(generator, tokenizer.vocab_size)
    return SentencePair(
        source=tokenizer.source_text(source), target=tokenizer.decode_target(target)
    )


def _ids(generator: random.Random, vocab_size: int) -> list[int]:
    length = generator.randint(1, MAX_PIECES)
    return [generator.randrange(vocab_size) for _ in range(length)]
