"""Units of a translation memory, and what is compared of them."""

import unicodedata
import zlib
from dataclasses import dataclass
from hashlib import blake2b

from bundle.languages import parse_language

MAX_UNIT_CHARS = 2_000
"""Of either text of a unit; what is longer is no sentence."""
SKETCH_SIZE = 16
"""Trigrams of a source that it is found by."""
_TRIGRAM = 3
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A sentence and its translation, plain text without white space at either end."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Whose units, and of which direction: what a look-up reads."""

    owner: str
    """Id of an API key; empty for clients without one."""
    source: str
    """Language code."""
    target: str
    """Language code."""

    @classmethod
    def of(cls, owner: str, source: str, target: str) -> "Space":
        """The space of these languages, however their codes are spelt."""
        return cls(owner=owner, source=canonical(source), target=canonical(target))


def canonical(language: str) -> str:
    """A code as spaces have it: `de` for `de-DE` and `ger`, `zh-hant` for `zh_TW`, `pt-pt`.

    A region counts only where texts of the language are usually of another one.
    """
    parsed = parse_language(language)
    region = None if parsed.region == parsed.usual_region else parsed.region
    kept = region if parsed.usual_region else None
    return "-".join(filter(None, (parsed.language, parsed.usual_script, kept)))


def normalised(text: str) -> str:
    """What makes two sources the same: the characters, without regard to kinds of white space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def digest_of(text: str) -> bytes:
    """What a normalised source is found by."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def sketch(text: str) -> list[int]:
    """Hashes of some trigrams of a normalised text; similar texts have some in common.

    They are the smallest, so that the same trigram is chosen in all texts (Broder 1997, "On the
    resemblance and containment of documents").
    """
    padded = f" {text.casefold()} ".encode("utf-32-le", "surrogatepass")
    width = 4
    trigrams = {
        padded[at : at + _TRIGRAM * width]
        for at in range(0, max(width, len(padded) - (_TRIGRAM - 1) * width), width)
    }
    return sorted({zlib.crc32(trigram) for trigram in trigrams})[:SKETCH_SIZE]
