"""Collects the known words of a model: those that its training text has often enough."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from bundle.known_words import make_filter
from bundle.manifest import KnownWords
from bundle.tensors import KNOWN_WORDS_NAME
from model.config import DataConfig
from model.data.corpus import read_pairs

LEAST_COUNT = 2
"""Occurrences that a word needs: one alone may be a name, or an error."""
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingText:
    """The parallel text of a training run."""

    config: DataConfig
    data: Path
    """Folder that its paths are relative to."""


def write_known_words(folder: Path, text: TrainingText) -> tuple[KnownWords, ...]:
    """Write `known_words.bin` into the folder of a bundle; returns its entries in the manifest.

    Raises:
        ModelError: A file of the training text cannot be read.
    """
    entries, content = [], []
    languages = (text.config.source_language, text.config.target_language)
    for language, words in zip(languages, count_words(text), strict=True):
        made = make_filter([word for word, count in words.items() if count >= LEAST_COUNT])
        entries.append(
            KnownWords(
                language=language,
                words=sum(count >= LEAST_COUNT for count in words.values()),
                size_bytes=len(made.bits),
                num_hashes=made.num_hashes,
            )
        )
        content.append(made.bits)
    (folder / KNOWN_WORDS_NAME).write_bytes(b"".join(content))
    return tuple(entries)


def count_words(text: TrainingText) -> tuple[Counter[str], Counter[str]]:
    """The case-folded words of both sides of a training text, with their numbers.

    Raises:
        ModelError: A file cannot be read.
    """
    source, target = Counter[str](), Counter[str]()
    used = {each.name for each in text.config.sources if each.weight}
    for where in tqdm(text.config.train, desc="known words", unit="file", disable=None):
        for pair in read_pairs(where, text.data)[0]:
            if not text.config.sources or pair.origin in used:
                source.update(_words(pair.source))
                target.update(_words(pair.target))
    return source, target


def _words(text: str) -> Iterable[str]:
    return map(str.casefold, _WORD.findall(text))
