"""Sentence pairs that an export is calibrated and verified with."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from bundle.tokenizer import Tokenizer
from model.data.corpus import SentencePair, read_pairs
from model.directions import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelText:
    """Sentences of one direction and their translations, as text."""

    name: str
    pair: LanguagePair
    sentences: Sequence[SentencePair]


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentPair:
    """A sentence and its reference, as text and as ids with the end token."""

    source: str
    reference: str
    source_ids: tuple[int, ...]
    target_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentSet:
    """Encoded sentences of one direction."""

    name: str
    pair: LanguagePair
    pairs: tuple[DevelopmentPair, ...]

    @property
    def references(self) -> list[str]:
        """The text of every reference."""
        return [p.reference for p in self.pairs]

    @property
    def source_ids(self) -> list[tuple[int, ...]]:
        """Ids of every source, end token included."""
        return [p.source_ids for p in self.pairs]

    @property
    def target_ids(self) -> list[tuple[int, ...]]:
        """Ids of every reference, end token included."""
        return [p.target_ids for p in self.pairs]


def in_turns(sets: Sequence[Sequence[DevelopmentPair]]) -> list[DevelopmentPair]:
    """The pairs of all sets, one of each in turn: the first few cover every direction."""
    return [pair for turn in zip_longest(*sets) for pair in turn if pair is not None]


def language_pair(direction: Direction) -> LanguagePair:
    """A direction of training in the manifest's terms."""
    return LanguagePair(
        source=direction.source, target=direction.target, source_prefix=direction.prefix
    )


def encode_pairs(
    pairs: Sequence[SentencePair],
    tokenizer: Tokenizer,
    pair: LanguagePair,
    *,
    max_source: int,
    max_target: int,
) -> list[DevelopmentPair]:
    """Tokenise pairs; those over a limit are left out.

    Args:
        pairs: Sentences and translations.
        tokenizer: The bundle's.
        pair: Direction of the pairs.
        max_source: Longest source in tokens, end token included.
        max_target: Longest target in tokens, end token included.
    """
    encoded = (
        DevelopmentPair(
            source=p.source,
            reference=p.target,
            source_ids=tuple(tokenizer.encode_source(p.source, pair)),
            target_ids=tuple(tokenizer.encode_target(p.target)),
        )
        for p in pairs
    )
    return [
        p for p in encoded if len(p.source_ids) <= max_source and len(p.target_ids) <= max_target
    ]


def held_out(bundle: Bundle, text: Path) -> list[DevelopmentSet]:
    """The sentences of a file in every direction of the bundle that they have."""
    first, manifest = bundle.manifest.pairs[0], bundle.manifest
    pairs = read_pairs(text.name, text.parent)[0]
    turned = [SentencePair(p.target, p.source, p.origin) for p in pairs]
    given = {(first.source, first.target): pairs, (first.target, first.source): turned}
    limits = {"max_source": manifest.max_source_tokens, "max_target": manifest.max_target_tokens}
    return [
        DevelopmentSet(
            name=text.name,
            pair=pair,
            pairs=tuple(
                encode_pairs(given[pair.source, pair.target], bundle.tokenizer, pair, **limits)
            ),
        )
        for pair in manifest.pairs
        if (pair.source, pair.target) in given
    ]
