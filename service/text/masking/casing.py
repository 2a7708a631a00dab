"""Truecasing: sentences in capitals or title case, put into ordinary case and back."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from service.text.masking.protected import Protected, standing_alone

Case = Literal["as_is", "capitals", "title"]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001
_SENTENCE_START = re.compile(r"(?:^|[.!?…]['\"”“’)\]]?\s)\W*")  # noqa: RUF001
_MIN_SHOUTED = 4
"""Fewest letters of a word in capitals that is not an acronym."""
_MIN_SHOUTED_WORDS = 3
"""Fewest shorter words in capitals, together: `DO IT NOW`, but not `OK, USA!`"""
_ACRONYM = re.compile(r"I|[B-DF-HJ-NP-TV-XZ]{2,5}")
"""A word without vowels, and the English `I`: they have no other case."""
_MIN_TITLE_WORDS = 3
_MIN_TITLE_LETTERS = 4
"""Fewest letters of a word that gets a capital in a title; shorter words are articles etc."""
_LANGUAGES_WITH_TITLES = ("en",)
_TURKISH = ("az", "tr")
"""Languages with an `i` and an `ı`, each with a capital."""  # noqa: RUF001
_TURKISH_I = {ord("I"): "ı", ord("İ"): "i"}  # noqa: RUF001
_SMALL_WORDS = frozenset(
    ("a", "about", "after", "all", "an", "and", "are", "as", "at", "be", "before", "but", "by",
     "for", "from", "has", "have", "her", "his", "how", "if", "in", "into", "is", "its", "more",
     "my", "nor", "not", "of", "off", "on", "or", "our", "out", "over", "so", "than", "that",
     "the", "their", "then", "these", "they", "this", "those", "to", "up", "was", "we", "were",
     "what", "when", "where", "why", "with", "without", "you", "your")
)  # fmt: skip
"""Words that begin no name; a capital on one inside a sentence indicates title case."""


def case_of(parts: Sequence[str | Protected], language: str) -> Case:
    """How a sentence is written.

    Title case is an English habit; other languages write titles like sentences, and German writes
    every noun with a capital. `Bank of America` and `Privacy Policy` may be names: they are no
    titles.

    Args:
        parts: The sentence, cut around its protected spans, which do not count.
        language: Its code.
    """
    words = [word for part in parts if isinstance(part, str) for word in _WORD.findall(part)]
    if _is_shouted(words):
        return "capitals"
    return "title" if _base(language) in _LANGUAGES_WITH_TITLES and _is_title(words) else "as_is"


def truecase(text: str, case: Case, parts: Sequence[str | Protected], language: str = "") -> str:
    """The sentence in ordinary case, of the same length; protected spans stay.

    Names are not recognised: they get small letters, too.

    Args:
        text: The sentence.
        case: How it is written.
        parts: The sentence, cut around its protected spans.
        language: Its code; Turkish has a small letter for `I` and one for `İ`.
    """
    if case == "as_is":
        return text
    change = _small if case == "capitals" else _small_words
    small_i = _TURKISH_I if _base(language) in _TURKISH else {}
    changed = [
        text[part.start : part.end] if isinstance(part, Protected) else change(part, small_i)
        for part in parts
    ]
    return _with_capitals("".join(changed), text)


def recase(text: str, case: Case, language: str, kept: Sequence[str] = ()) -> str:
    """A translation in the case of its source; texts in `kept` stay as they are.

    Capitals of `ß` are `SS`; in titles, words of four letters get a capital, in every language.
    """
    if case == "as_is":
        return text
    change = _capitals_of(language) if case == "capitals" else _title
    done, parts = 0, []
    for start, end in standing_alone(frozenset(filter(None, kept)), text):
        parts += [change(text[done:start]), text[start:end]]
        done = end
    return "".join([*parts, change(text[done:])])


def _base(language: str) -> str:
    return language.split("-", maxsplit=1)[0]


def _is_shouted(words: Sequence[str]) -> bool:
    """Whether all words are in capitals and some are no acronyms; `ß` has no capital."""
    if not all(word.replace("ß", "").isupper() for word in words):
        return False
    plain = [word for word in words if len(word) > 1 and not _ACRONYM.fullmatch(word)]
    return any(len(word) >= _MIN_SHOUTED for word in plain) or len(plain) >= _MIN_SHOUTED_WORDS


def _is_title(words: Sequence[str]) -> bool:
    """Whether all words have a capital, one of the small words included.

    The small word distinguishes a title from a row of names; further small words may have none.
    """
    small = [word for word in words[1:] if word.lower() in _SMALL_WORDS]
    others = [word for word in words if word.lower() not in _SMALL_WORDS]
    return (
        any(word[0].isupper() and not word.isupper() for word in small)
        and len(small) + len(others) >= _MIN_TITLE_WORDS
        and not any(word.islower() for word in others)
    )


def _small(text: str, small_i: Mapping[int, str]) -> str:
    return _WORD.sub(
        lambda match: (
            match.group()
            if _ACRONYM.fullmatch(match.group())
            else _lower(match.group().translate(small_i))
        ),
        text,
    )


def _small_words(text: str, small_i: Mapping[int, str]) -> str:
    """Lowers words with one capital at their start; `I`, `NASA` and `iPhone` stay."""
    return _WORD.sub(lambda match: _small_word(match.group(), small_i), text)


def _small_word(word: str, small_i: Mapping[int, str]) -> str:
    is_plain = len(word) > 1 and word[0].isupper() and word[1:].islower()
    return _lower(word.translate(small_i)) if is_plain or word == "A" else word


def _lower(word: str) -> str:
    """In small letters, of the same length: `İ`, whose small form is two characters, stays.

    The whole word is lowered at once, because a sigma at its end has a form of its own.
    """
    return "İ".join(part.lower() for part in word.split("İ"))


def _with_capitals(text: str, original: str) -> str:
    """`text` with the first letters of sentences as in the original."""
    letters = list(text)
    for match in _SENTENCE_START.finditer(original):
        at = match.end()
        letters[at : at + 1] = original[at : at + 1]
    return "".join(letters)


def _capitals_of(language: str) -> Callable[[str], str]:
    dotted = str.maketrans("i", "İ") if _base(language) in _TURKISH else {}
    return lambda text: text.translate(dotted).upper()


def _title(text: str) -> str:
    return _WORD.sub(lambda match: _titled(match.group(), is_first=match.start() == 0), text)


def _titled(word: str, *, is_first: bool) -> str:
    if not is_first and len(word) < _MIN_TITLE_LETTERS:
        return word
    return word[0].upper() + word[1:]
