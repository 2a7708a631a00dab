"""Units of a translation memory, and what is compared of them."""

import unicodedata
import zlib
from dataclasses import dataclass
from hashlib import blake2b

from bundle.languages import parse_language

MAX_UNIT_CHARS = 2_000
"""Longest text of a unit, on either side; what is longer is no sentence."""
_SKETCH = ((3, 6), (6, 12))
"""Characters of a gram, and how many such grams a source is found by. Short texts have few long
grams; in large memories short ones say little."""
_CHAR_BYTES = 4
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A sentence and its translation, plain text without white space at either end."""

    source: str
    target: str

    @property
    def is_usable(self) -> bool:
        """Whether both texts are there, and short enough for sentences."""
        return all(0 < len(text) <= MAX_UNIT_CHARS for text in (self.source, self.target))


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
    """Hashes of some stretches of a normalised text; similar texts have some in common.

    They are the smallest, so that the same stretch is chosen in all texts (Broder 1997, "On the
    resemblance and containment of documents").
    """
    padded = f" {text.casefold()} ".encode("utf-32-le", "surrogatepass")
    chosen: set[int] = set()
    for length, count in _SKETCH:
        chosen.update(sorted(_grams(padded, length * _CHAR_BYTES))[:count])
    return list(chosen)


def _grams(padded: bytes, num_bytes: int) -> set[int]:
    """Hashes of all stretches of a length; of the whole text, if that is shorter."""
    ends = range(num_bytes, len(padded) + 1, _CHAR_BYTES) or (len(padded),)
    return {zlib.crc32(padded[max(0, end - num_bytes) : end]) for end in ends}
