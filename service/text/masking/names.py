"""Names that a model has never seen: where it garbled one, the name is put back."""

import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Optional

from service.text.masking.edits import Edit, Rewritten, rewrite
from service.text.masking.protected import Protected, standing_alone
from service.text.masking.symbols import Masked
from service.text.similarity import similarity

COPYING_LANGUAGES = frozenset(("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "no"))
"""Languages that write a foreign name as it is, without endings of their own."""
_NOUNS_HAVE_CAPITALS = frozenset(("de",))
"""Languages with compounds in one word, and with a genitive without apostrophe, as well."""
_ENDINGS = {
    "de": ("s", "n", "e", "en", "er", "es", "in", "innen", "isch", "ische", "ischen"),
    "en": ("s", "es", "ed", "ian", "ing"),
}
_NO_CHARACTER = "\ufffd"
_GENITIVE = r"(?P<genitive>['’]s?(?!\w))?"  # noqa: RUF001
_LETTERS = re.compile(r"[^\W\d_]+")
_OUTSIDE = r"\w\u0300-\u036f"
_SOURCE_WORD = re.compile(rf"(?<![{_OUTSIDE}])(?P<word>[^\W\d_]+)(?![{_OUTSIDE}]){_GENITIVE}")
_TARGET_WORD = re.compile(rf"(?P<word>(?:[^\W\d_]|{_NO_CHARACTER})+){_GENITIVE}")
_LENGTHS = range(3, 41)
"""Letters of a name."""
_LEAST_STEM = 5
"""Letters of a word without an ending."""
_LEAST_PART = 4
"""Letters of a part of a compound."""
_MOST = 8
"""Names and garbled words of a sentence. One with more is no running text, and comparing each with
each would take milliseconds."""
_SIMILAR = 0.6
_SIMILAR_BESIDE = 0.5
"""Beside a word that both texts have."""
_TITLE_WORDS = 4
_TITLE_LETTERS = 4
_TITLE_SHARE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWords:
    """The case-folded words of the text that a model was trained on."""

    source: Container[str]
    target: Container[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """A word of a text."""

    text: str
    start: int
    genitive: str
    """The apostrophe behind it, perhaps with an `s`."""
    before: Optional["_Word"]
    """The word before it, where there is only a space between."""
    behind: str
    """The word behind it, likewise; or nothing."""

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def folded(self) -> str:
        return self.text.casefold()

    @property
    def is_before_capital(self) -> bool:
        return self.behind[:1].isupper()


def mend_names(
    target: str, masked: Masked, languages: tuple[str, str], known: KnownWords
) -> Rewritten:
    """A translation with the names of the source that it has as similar words of no language.

    A name has a capital and is not in the source side of the training text, perhaps without an
    ending or as a compound. What is replaced is not in the target side.

    Args:
        target: The translation.
        masked: What the model saw; what its spans stand for is not touched in the translation.
        languages: Codes of source and target.
        known: Words of the training text.
    """
    first, second = (language.partition("-")[0] for language in languages)
    source = masked.rewritten.text
    if first not in COPYING_LANGUAGES or second not in COPYING_LANGUAGES:
        return Rewritten(text=target)
    names = _names(target, source, masked.protected, first, known.source)
    if not names:
        return Rewritten(text=target)
    kept = frozenset(span.replacement for span in masked.protected if span.replacement)
    garbled = _garbled(target, source, kept, second, known.target)
    if len(garbled) > _MOST:
        return Rewritten(text=target)
    return rewrite(target, _edits(names, garbled, first))


def _names(
    target: str,
    source: str,
    protected: Sequence[Protected],
    language: str,
    known: Container[str],
) -> list[_Word]:
    """Names of the source that the translation lacks."""
    unknown = {
        word
        for word in _LETTERS.findall(source)
        if word[0].isupper()
        and word not in target
        and len(word) in _LENGTHS
        and not word.isupper()
        and not _is_known(word, language, known)
    }
    has_title = language not in _NOUNS_HAVE_CAPITALS and bool(unknown) and _is_title(source)
    if has_title or not 0 < len(unknown) <= _MOST:
        return []
    taken = [(span.start, span.end) for span in protected]
    present = {word.text for word in _words(target, _TARGET_WORD)}
    return [
        word
        for word in _words(source, _SOURCE_WORD)
        if word.text in unknown
        and not _touches(word, taken)
        and not _is_present(word, present, language, known)
    ]


def _garbled(
    target: str, source: str, kept: Collection[str], language: str, known: Container[str]
) -> list[_Word]:
    """Words of a translation that are neither the source's nor known."""
    own = tuple({word.text for word in _words(source, _SOURCE_WORD)})
    taken = list(standing_alone(kept, target))
    return [
        word
        for word in _words(target, _TARGET_WORD)
        if len(word.text) < _LENGTHS.stop
        and not word.text.startswith(own)
        and (_NO_CHARACTER in word.text or not _is_known(word.text, language, known))
        and not _touches(word, taken)
    ]


def _edits(names: Sequence[_Word], garbled: Sequence[_Word], language: str) -> list[Edit]:
    """The most similar pairs, each word in one; a name that is found vouches for its neighbour."""
    rates = {
        (i, j): rate
        for i, name in enumerate(names)
        for j, word in enumerate(garbled)
        if (rate := similarity(name.folded, word.folded)) >= _SIMILAR_BESIDE
    }
    found = dict[int, _Word]()
    renamed = dict[str, str]()
    while possible := [
        (-rate, i, j)
        for (i, j), rate in rates.items()
        if rate >= _least(names[i], garbled[j], renamed)
        and _may_become(names[i], garbled[j], language, renamed)
    ]:
        _, i, j = min(possible)
        found[j] = names[i]
        renamed[garbled[j].text] = names[i].text
        rates = {pair: rate for pair, rate in rates.items() if pair[0] != i and pair[1] != j}
    edits = {j: _edit(name, garbled[j], language, renamed) for j, name in found.items()}
    return [edits[j] for j in sorted(edits) if edits[j].text != garbled[j].text]


def _may_become(name: _Word, word: _Word, language: str, renamed: Mapping[str, str]) -> bool:
    """Whether a word can be a garbled name, not a genitive, plural or noun that is translated."""
    if name.text == f"{word.text}s" and not (word.genitive and name.is_before_capital):
        return False
    if word.folded != name.folded and _respelt(word) == _respelt(name):
        return False
    has_capital = word.text[0].isupper() or word.folded == name.folded
    return has_capital or language not in _NOUNS_HAVE_CAPITALS or _is_beside(name, word, renamed)


def _respelt(word: _Word) -> str:
    """Leonow and Leonov are one name, written as two languages do."""
    return word.folded.replace("w", "v")


def _least(name: _Word, word: _Word, renamed: Mapping[str, str]) -> float:
    """How similar a name and a word must be."""
    return _SIMILAR_BESIDE if _is_beside(name, word, renamed) else _SIMILAR


def _is_beside(name: _Word, word: _Word, renamed: Mapping[str, str]) -> bool:
    """Whether the same word is before, or behind, both, once found names are put back."""
    behind = renamed.get(word.behind, word.behind)
    return _follows(name, word, renamed) or (name.behind != "" and name.behind == behind)


def _follows(name: _Word, word: _Word, renamed: Mapping[str, str]) -> bool:
    if name.before is None or word.before is None:
        return False
    before = word.before.text
    return name.before.text == renamed.get(before, before)


def _edit(name: _Word, word: _Word, language: str, renamed: Mapping[str, str]) -> Edit:
    """The name in place of the word; a genitive stays one, and one that is made up goes."""
    start, end, text = word.start, word.end, name.text
    if word.genitive and not name.genitive and text.endswith("s") and not word.text.endswith("s"):
        if name.is_before_capital and name.behind == word.behind:
            end += len(word.genitive)
        elif language in _NOUNS_HAVE_CAPITALS:
            text = text[:-1]
    elif name.genitive and not word.genitive and word.text.endswith("s") and text[-1] != "s":
        text += "s"
    if _follows(name, word, renamed) and name.before and not name.before.genitive:
        assert word.before is not None, "the name follows it"
        if word.before.genitive:
            start, text = word.before.end, f" {text}"
    return Edit(start=start, end=end, text=text)


def _words(text: str, pattern: re.Pattern[str]) -> list[_Word]:
    matches = list(pattern.finditer(text))
    words: list[_Word] = []
    for match, following in zip_longest(matches, matches[1:]):
        is_beside = following is not None and text[match.end() : following.start()] == " "
        word = _Word(
            text=match["word"],
            start=match.start(),
            genitive=match["genitive"] or "",
            before=words[-1] if words and words[-1].behind else None,
            behind=following["word"] if following is not None and is_beside else "",
        )
        words.append(word)
    return words


def _is_present(name: _Word, present: Iterable[str], language: str, known: Container[str]) -> bool:
    """Whether the translation has a name, perhaps with an ending or without that of a genitive."""
    text = name.text
    is_first = name.is_before_capital and not _is_known(name.behind, language, known)
    if language in _NOUNS_HAVE_CAPITALS and text[-1] == "s" and not is_first:
        text = text[:-1]
    return any(word.startswith(text) for word in present)


def _is_known(word: str, language: str, known: Container[str]) -> bool:
    """Whether a word, its stem or, in a language of compounds, its two parts are known."""
    folded = word.casefold()
    if folded in known:
        return True
    if language in _NOUNS_HAVE_CAPITALS and _is_compound(folded, known):
        return True
    return any(
        folded.endswith(ending)
        and len(folded) >= _LEAST_STEM + len(ending)
        and folded.removesuffix(ending) in known
        for ending in _ENDINGS.get(language, ())
    )


def _is_compound(folded: str, known: Container[str]) -> bool:
    return any(
        folded[:at] in known and folded[at:] in known
        for at in range(_LEAST_PART, len(folded) - _LEAST_PART + 1)
    )


def _is_title(text: str) -> bool:
    """Whether capitals say nothing, because most long words have one."""
    words = [word for word in _LETTERS.findall(text) if len(word) >= _TITLE_LETTERS]
    capitals = sum(word[0].isupper() for word in words)
    return len(words) >= _TITLE_WORDS and capitals >= _TITLE_SHARE * len(words)


def _touches(word: _Word, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start < word.end and word.start < end for start, end in spans)
