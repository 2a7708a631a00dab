"""Known words of a model, as Bloom filters: words that are not in one were not in the text.

A word sets a few bits of a filter; one whose bits are all set is known, or one of three hundred
others that were never added (Bloom 1970, "Space/time trade-offs in hash coding with allowable
errors"). Two halves of one digest give all places of a word (Kirsch and Mitzenmacher 2006).
"""

import hashlib
import math
import struct
from collections.abc import Collection, Iterable

from bundle.manifest import KnownWords

BITS_A_WORD = 12
"""Of words that were never added, one of three hundred is taken for known."""
_HALVES = struct.Struct("<QQ")


class WordFilter:
    """The words of one language; ask for them case-folded."""

    def __init__(self, bits: bytes, num_hashes: int) -> None:
        """Take the bits as they are stored.

        Args:
            bits: At least one byte.
            num_hashes: Places of a word.
        """
        self.bits = bits
        self.num_hashes = num_hashes

    def __contains__(self, word: object) -> bool:
        """Whether a word was added; true for some that were not."""
        bits, num_bits = self.bits, 8 * len(self.bits)
        place, step = _place_and_step(str(word), num_bits)
        for _ in range(self.num_hashes):
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
            place = (place + step) % num_bits
        return True


def make_filter(words: Collection[str]) -> WordFilter:
    """A filter of some words, the same for the same words in any order."""
    bits = bytearray(max(1, math.ceil(len(words) * BITS_A_WORD / 8)))
    num_hashes = max(1, round(BITS_A_WORD * math.log(2)))
    for word in words:
        place, step = _place_and_step(word, 8 * len(bits))
        for _ in range(num_hashes):
            bits[place >> 3] |= 1 << (place & 7)
            place = (place + step) % (8 * len(bits))
    return WordFilter(bytes(bits), num_hashes)


def cut_filters(content: bytes, entries: Iterable[KnownWords]) -> dict[str, WordFilter]:
    """The filters of `known_words.bin` by their languages.

    Args:
        content: Of the file, as long as its entries say.
        entries: Of the manifest.
    """
    filters, start = {}, 0
    for entry in entries:
        end = start + entry.size_bytes
        filters[entry.language] = WordFilter(content[start:end], entry.num_hashes)
        start = end
    return filters


def _place_and_step(word: str, num_bits: int) -> tuple[int, int]:
    """The first bit of a word, and how far each other one is from the one before it."""
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=_HALVES.size)
    first, step = _HALVES.unpack(digest.digest())
    return first % num_bits, step % num_bits
