"""Sentence boundaries within a line: those of a library, corrected for quotes and numbers."""

import re
from collections.abc import Iterator

import sentencex

from service.text.invisible import INVISIBLE, visible_part

_ENCLOSING = "\"'`’()[]{}<>«»‹›„‚“‘”「」『』（）【】《》〈〉*_"  # noqa: RUF001
_CLOSING_BRACKETS = ")]}）】》〉"  # noqa: RUF001
_WIDE_OPENING = "「『（【《〈“‘"  # noqa: RUF001
_WIDE_STOPS = "。！？｡"  # noqa: RUF001

_HIDDEN = re.compile(
    # Apostrophes only outside of words. Also what the library cannot process: halves of surrogate
    # pairs, and white space of several bytes between a letter and its full stop.
    r"[\"`()\[\]{}<>«»‹›„‚“‘”「」『』（）【】《》〈〉*_\ud800-\udfff]|[^\S ]"  # noqa: RUF001
    r"|(?<!\w)['’]|['’](?!\w)"  # noqa: RUF001
)
_CERTAIN_END = re.compile(
    # Words that the library takes for abbreviations, and boundaries that it misses although the
    # next word has a capital.
    r"(?:\b(?:OK|Bart|mag|me|mich|no|No)\.|(?<![.!?…])(?:[!?…]|\.{2,}+)[.!?…]*+)"
    r"[\"')\]}>»«›‹“”‘’*_]*+\s++"  # noqa: RUF001
)
_SPACE = re.compile(r"\s+")
_FRENCH_CLOSING = re.compile(r"\s+[»›]\s")  # noqa: RUF001
_MAX_LINE = 4_096
"""Characters passed to the library at once: its worst case is quadratic."""

_LAST_WORD = re.compile(r"[^\W_][\w.'’]*\Z")  # noqa: RUF001
_FIRST_WORD = re.compile(r"\w+")
_MAX_WORD = 24
"""Most characters of a word beside a full stop: longer words are no abbreviations."""
_ROMAN = re.compile(r"[IVX]{1,5}")
_ABBREVIATION = re.compile(
    "approx|bzgl|bzw|ca|capt|cf|dept|evtl|fa|fr|gest|ggf|hon|hr|ing|inkl|max|min|mind|sra|srta"
    "|tel|vgl|zzgl",
    re.IGNORECASE,
)
"""Abbreviations that the library lacks in their language."""
_ABBREVIATION_BEFORE_NUMBER = re.compile(
    r"abb|abs|art|bd|ch|figs?|kap|nos?|nr|op|pp?|sec|\w{0,16}str|tab|vols?", re.IGNORECASE
)
"""Abbreviations only before a number: `No. 5`, but `No. I do not.`"""
_MONTH = re.compile(
    "January|February|March|April|May|June|July|August|September|October|November|December"
)
_WITH_ORDINAL_STOP = re.compile("cs|da|de|et|fi|hr|hu|is|lb|lv|n[bno]|pl|s[klr]|tr")
"""Languages that write ordinals with a full stop: `3.` is third."""


def sentence_starts(line: str, language: str) -> list[int]:
    """Offsets in `line` at which a sentence begins, ascending, without the first one.

    Args:
        line: Without line breaks, and without white space at either end.
        language: A code like `de` or `pt-BR`; an unknown one gets general rules.
    """
    if INVISIBLE.search(line):
        visible = visible_part(line)
        return [visible.behind(start) for start in sentence_starts(visible.text, language)]
    main_language = language.partition("-")[0].lower()
    starts = {*_proposed_starts(line, main_language), *_certain_starts(line)}
    return sorted(start for start in starts if _may_start(line, start, main_language))


def _proposed_starts(line: str, language: str) -> Iterator[int]:
    """The boundaries that the library finds.

    Quotes and brackets are hidden from it: it never cuts within a pair, so one that is not closed
    would join a whole paragraph.
    """
    bare = _HIDDEN.sub(" ", line)
    cut = 0
    while len(bare) - cut > 1:
        window = bare[cut : cut + _MAX_LINE]
        *sentences, last = _sentences(window, language)
        previous = cut
        for sentence in sentences:
            cut += len(sentence)
            yield _before_opening(line, previous, cut)
            previous = cut
        # The last sentence of a window may continue behind it: the next window begins with it.
        if not sentences or cut + len(last) == len(bare):
            cut += len(last)


def _sentences(text: str, language: str) -> list[str]:
    try:
        sentences: list[str] = sentencex.segment(language, text)
    except BaseException as error:
        # A panic of the library's compiled part: not an Exception, and not importable.
        if type(error).__name__ != "PanicException":
            raise
        return [text]
    return sentences


def _certain_starts(line: str) -> Iterator[int]:
    return (match.end() for match in _CERTAIN_END.finditer(line) if match.end() < len(line))


def _before_opening(line: str, previous: int, start: int) -> int:
    """`start`, moved before the quotes that open the sentence; 0 if no sentence begins."""
    end = start
    while end > previous and (line[end - 1].isspace() or line[end - 1] in _ENCLOSING):
        end -= 1
    spaces = [space.end() for space in _SPACE.finditer(line, end, start)]
    if spaces:
        return spaces[1 if _FRENCH_CLOSING.match(line, end, start) else 0]
    is_wide = line[end - 1] in _WIDE_STOPS
    return _after_wide_closing(line, end, start) if is_wide else 0


def _after_wide_closing(line: str, end: int, start: int) -> int:
    # A sentence continues behind a closing quote, 「はい。」と言った。, but not behind a bracket.
    for position in range(end, start):
        if line[position] in _WIDE_OPENING:
            return position
    return start if all(mark in _CLOSING_BRACKETS for mark in line[end:start]) else 0


def _may_start(line: str, start: int, language: str) -> bool:
    is_closing = bool(_FRENCH_CLOSING.match(line, start - 1)) if start else True
    following = _first_word(line, start)
    goes_on = following[:1].islower() and not following[1:2].isupper()  # but iPhone, eBay
    if is_closing or goes_on:
        return False
    before = line[max(0, start - _MAX_WORD) : start].rstrip()
    return not (before.endswith(".") and _is_abbreviated(before[:-1], following, language))


def _first_word(line: str, position: int) -> str:
    match = _FIRST_WORD.search(line, position, position + _MAX_WORD)
    return match.group() if match else ""


def _is_abbreviated(before: str, following: str, language: str) -> bool:
    """Whether the full stop after `before` belongs to its last word."""
    match = _LAST_WORD.search(before)
    if match is None:
        return False
    word = match.group()
    has_ordinals = _WITH_ORDINAL_STOP.fullmatch(language)
    if word.isdigit():  # `3. Oktober`, and the number of a list item
        is_ordinal = has_ordinals or match.start() == 0 or _MONTH.fullmatch(following)
        return len(word) <= 2 and bool(is_ordinal)
    if has_ordinals and _ROMAN.fullmatch(word):
        return True
    if len(word) == 1:  # J. Smith, z. B., but not `than I.`
        return word.isalpha() and word != "I"
    if following.isdigit() and _ABBREVIATION_BEFORE_NUMBER.fullmatch(word):
        return True
    return _ABBREVIATION.fullmatch(word) is not None
