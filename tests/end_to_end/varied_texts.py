"""Texts as unlike each other as a service gets them, made of given sentences."""

import lzma
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

MAX_WORDS = 100
_STRANGE = (
    "😀",
    "🇩🇪👩‍🚀",
    "3,141.59",
    "№ 00742",
    "10:45",
    "https://example.org/a?b=c",
    "x² + y² = z²",
    "北京",
    "Привет",
    "مرحبا",
    "ไทย",
    "naïve",
    "ﬁ",
    "e\u0301",
    "\u200b",
    "<b>",
    "§§",
)
"""What the model has hardly ever seen: emoji, digits, other scripts, marks."""


def load_sentences(path: Path) -> list[str]:
    """The first column of a file of sentences or of pairs, which may be packed (`.xz`)."""
    opened = lzma.open if path.suffix == ".xz" else Path.open
    with opened(path, "rt", encoding="utf-8") as lines:
        sentences = [line.rstrip("\n").partition("\t")[0].strip() for line in lines]
    return [sentence for sentence in sentences if sentence]


def varied_texts(sentences: Sequence[str], count: int, *, seed: int) -> list[str]:
    """Different texts of 1 to `MAX_WORDS` words; a seed gives the same ones.

    Three in five are sentences as they are. The others are cut short, joined to long ones, or
    have something strange in them.
    """
    texts: dict[str, None] = {}
    chance = random.Random(seed)
    for text in _endless(sentences, chance):
        texts.setdefault(text)
        if len(texts) == count:
            return list(texts)
    raise AssertionError("there is no end to it")


def _endless(sentences: Sequence[str], chance: random.Random) -> Iterator[str]:
    kinds = (_plain, _plain, _plain, _short, _long, _strange)
    while True:
        text = chance.choice(kinds)(sentences, chance)
        if any(character.isalpha() for character in text):
            yield text


def _plain(sentences: Sequence[str], chance: random.Random) -> str:
    return chance.choice(sentences)


def _short(sentences: Sequence[str], chance: random.Random) -> str:
    words = chance.choice(sentences).split()
    return " ".join(words[: chance.randint(1, 4)])


def _long(sentences: Sequence[str], chance: random.Random) -> str:
    """One sentence for the model: where one ends, a comma follows."""
    wanted = chance.randint(20, MAX_WORDS)
    words: list[str] = []
    while len(words) < wanted:
        words += f"{chance.choice(sentences).rstrip('.!?')},".split()
    return " ".join(words[:wanted]).rstrip(",")


def _strange(sentences: Sequence[str], chance: random.Random) -> str:
    words = chance.choice(sentences).split()
    for _ in range(chance.randint(1, 4)):
        words.insert(chance.randint(0, len(words)), chance.choice(_STRANGE))
    return " ".join(words)
