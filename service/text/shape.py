"""The parts of a sentence that no model should see: bullets, emoji, addresses."""

import re
from dataclasses import dataclass

_PICTURE = "\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_ATTACHED = "\u200d\u20e3\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
"""Joiner, keycap, variation selectors, skin tones, and the letters in a region's flag."""

EMOJI = re.compile(
    rf"[0-9#*]\ufe0f?\u20e3"
    rf"|[\xa9\xae\u203c-\u3299][\ufe0e\ufe0f]"  # letters and arrows that are pictures, or may be
    rf"|[{_PICTURE}][{_ATTACHED}{_PICTURE}]*+"
)
"""A run of emoji, matched as one."""
_IN_EMOJI = re.compile(rf"[{_ATTACHED}{_PICTURE}\s]")


_TOKEN = re.compile(r"\S+")
_AROUND_TOKEN = "\"'`()[]{}<>«»„“”‘’.,;:!?…|*_-–—"  # noqa: RUF001  # nosec B105
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*+://|www\.|mailto:)\S+"
    r"|[\w.+%-]++@[\w-]+(?:\.[\w-]+)+"
    r"|(?:~|\.{1,2})?/[\w.+~/@%:=-]+"  # /etc/hosts, ./run, ~/notes
    r"|[A-Za-z]:[\\/]\S+|\\\\\S+"  # C:\temp, \\host\share
    r"|(?:[\w.-]++/)+[\w.-]+\.\w{1,5}"  # docs/index.html
    r"|(?:[a-z0-9-]++\.)+[a-z]{2,}(?:/\S*)?"  # example.org/about, readme.txt
    r"|v\d+(?:\.\w+)*"
)

_MONTH = "Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
_MARKER = (
    r"(?!>>\w{2,3}<<)[>|]"  # >>de<< is a piece of some models
    r"|[-*+‐‑‒–—―](?=\s)"  # noqa: RUF001
    r"|[•‣⁃◦▪▫●○■□◆◇►▶▸→➔➢➤·⁌⁍]"  # noqa: RUF001
    r"|\[[ xX]?\](?=\s)"
    r"|\#{1,6}(?=\s)"
    rf"|\(?\d{{1,3}}\)(?=\s)|\d{{1,3}}(?:\.\d{{1,3}}){{0,5}}\.(?=\s)(?!\s+(?:{_MONTH})\b)"
    r"|\(?(?:[A-Za-z]|[ivxIVX]{1,5})\)(?=\s)"
)
LIST_MARKER = re.compile(rf"\s*(?:{_MARKER})\s*")
"""The marker of a list item, a quotation or a heading."""
_PREFIX = re.compile(rf"(?:\s++|{_MARKER}|{EMOJI.pattern})*+")
_DIRECTED = re.compile(
    "([\u202a\u202b\u202d\u202e\u2066-\u2068]+)[^\u202a-\u202e\u2066-\u2069]*+([\u202c\u2069]+)"
)
"""A sentence within marks of its direction, and none inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """A sentence in three parts; joined they are the sentence."""

    prefix: str
    core: str
    """The words, without white space at either end; empty if there are none."""
    suffix: str


def trim(text: str) -> Trimmed:
    """Separates the words of a sentence from what stands before and behind them.

    Models drop, double or mistranslate words beside bullets, numbers and checkboxes of lists,
    markers of quotations and headings, emoji, white space and marks of direction.
    """
    directed = _DIRECTED.fullmatch(text)
    first, last = (directed.end(1), directed.start(2)) if directed else (0, len(text))
    match = _PREFIX.match(text, first, last)
    start = match.end() if match else first
    end = max(start, trailing_emoji_start(text[:last]))
    return Trimmed(prefix=text[:start], core=text[start:end], suffix=text[end:])


def needs_model(text: str) -> bool:
    """Whether a text has words to translate.

    Addresses (URL, e-mail, path) and words without letters need no translation: digits,
    punctuation, currency signs and emoji are the same in every language.
    """
    return any(_is_language(token.group()) for token in _TOKEN.finditer(EMOJI.sub(" ", text)))


def trailing_emoji_start(text: str) -> int:
    """Offset of the emoji and white space at the end of `text`; its length if there are none."""
    start = len(text)
    while start and _IN_EMOJI.match(text, start - 1):
        start -= 1
    # A joiner or a selector behind a letter belongs to that letter.
    while start < len(text) and not (text[start].isspace() or EMOJI.match(text, start)):
        start += 1
    return start


def _is_language(token: str) -> bool:
    if not any(character.isalpha() for character in token):
        return False
    return not (_ADDRESS.fullmatch(token) or _ADDRESS.fullmatch(token.strip(_AROUND_TOKEN)))
