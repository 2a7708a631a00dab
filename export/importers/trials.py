"""Sentences to verify a model with, where there are none: pieces of its own vocabulary."""

import random
from collections.abc import Iterator

from bundle.manifest import LanguagePair
from bundle.tokenizer import Tokenizer
from export.development_set import DevelopmentPair, DevelopmentSet
from export.errors import ExportError
from export.options import BundleOptions

NAME = "made up"
NUM_SENTENCES = 24
LONGEST = 24
"""Pieces of one."""
_ATTEMPTS = 20_000


def made_up(
    tokenizer: Tokenizer, pairs: tuple[LanguagePair, ...], options: BundleOptions
) -> tuple[DevelopmentSet, ...]:
    """Random sentences, the same every time, shared out among the directions.

    They are enough to compare what two programs compute; of quality they say nothing.
    """
    pairs = pairs[:NUM_SENTENCES]
    each = -(-NUM_SENTENCES // len(pairs))
    return tuple(
        DevelopmentSet(
            name=NAME, pair=pair, pairs=tuple(_sentences(tokenizer, pair, each, options, seed))
        )
        for seed, pair in enumerate(pairs)
    )


def _sentences(
    tokenizer: Tokenizer, pair: LanguagePair, count: int, options: BundleOptions, seed: int
) -> Iterator[DevelopmentPair]:
    source, found = random.Random(seed), 0
    for _ in range(_ATTEMPTS):
        made = _sentence(tokenizer, pair, source)
        sizes = (len(made.source_ids), len(made.target_ids))
        is_short = sizes[0] <= options.max_source_tokens and sizes[1] <= options.max_target_tokens
        if is_short and made.source.strip():
            yield made
            found += 1
        if found == count:
            return
    raise ExportError("no sentence can be made of the vocabulary: give --dev")


def _sentence(tokenizer: Tokenizer, pair: LanguagePair, source: random.Random) -> DevelopmentPair:
    length = source.randint(1, LONGEST)
    ids = [source.randrange(tokenizer.source_vocab_size) for _ in range(length)]
    target_ids = [source.randrange(tokenizer.vocab_size) for _ in range(source.randint(1, LONGEST))]
    text, reference = tokenizer.source_text(ids), tokenizer.decode_target(target_ids)
    # Cut again from the text: the canary is given as a text.
    return DevelopmentPair(
        source=text,
        reference=reference,
        source_ids=tuple(tokenizer.encode_source(text, pair)),
        target_ids=tuple(tokenizer.encode_target(reference)),
    )
