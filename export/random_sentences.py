"""Random sentences of a vocabulary, to verify a model with where there is no development set."""

import random
from collections.abc import Iterator

from bundle.manifest import LanguagePair
from export.development_set import DevelopmentPair, DevelopmentSet, encode_pairs
from export.errors import ExportError
from export.job import TrainedModel
from model.corpus import SentencePair

NAME = "made up"
NUM_SENTENCES = 24
MAX_PIECES = 24
"""Pieces of a sentence that are drawn."""
_MAX_ATTEMPTS = 20_000


def random_sentences(model: TrainedModel) -> tuple[DevelopmentSet, ...]:
    """Sentences of random pieces, the same every time, evenly over the directions.

    They suffice to compare what two programs compute; of quality they say nothing.

    Raises:
        ExportError: The vocabulary makes too few texts that fit.
    """
    pairs = model.pairs[:NUM_SENTENCES]
    count = -(-NUM_SENTENCES // len(pairs))
    return tuple(
        DevelopmentSet(name=NAME, pair=pair, pairs=tuple(_sentences(model, pair, count, seed)))
        for seed, pair in enumerate(pairs)
    )


def _sentences(
    model: TrainedModel, pair: LanguagePair, count: int, seed: int
) -> Iterator[DevelopmentPair]:
    generator, found = random.Random(seed), 0
    for _ in range(_MAX_ATTEMPTS):
        # Encoded again from the text: the canary is given as a text.
        fitting = encode_pairs(
            [_texts(model, generator)],
            model.tokenizer,
            pair,
            max_source=model.network.max_source_tokens,
            max_target=model.network.max_target_tokens,
        )
        if fitting and fitting[0].source.strip():
            yield fitting[0]
            found += 1
        if found == count:
            return
    raise ExportError("no sentence can be made of the vocabulary: give --dev")


def _texts(model: TrainedModel, generator: random.Random) -> SentencePair:
    tokenizer, length = model.tokenizer, generator.randint(1, MAX_PIECES)
    ids = [generator.randrange(tokenizer.source_vocab_size) for _ in range(length)]
    target_ids = [
        generator.randrange(tokenizer.vocab_size) for _ in range(generator.randint(1, MAX_PIECES))
    ]
    return SentencePair(
        source=tokenizer.source_text(ids), target=tokenizer.decode_target(target_ids)
    )
