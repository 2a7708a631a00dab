"""What of a sentence the model has no business with: bullets, emoji, addresses."""

import re
from dataclasses import dataclass

_PICTURE = "\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_ATTACHED = "\u200d\u20e3\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
"""Joiner, keycap, variation selector, skin tones, and the letters in a region's flag."""

EMOJI = re.compile(
    rf"[0-9#*]\ufe0f?\u20e3"
    rf"|[\xa9\xae\u203c-\u3299]\ufe0f"  # letters and arrows that a selector turns into pictures
    rf"|[{_PICTURE}][{_ATTACHED}{_PICTURE}]*+"
)
"""One or more of them: between two, nothing is worth a cut."""
_IN_EMOJI = re.compile(rf"[{_ATTACHED}{_PICTURE}\s]")


def trailing_emoji_start(text: str) -> int:
    """Where the emoji and the white space at the end of `text` begin; its length if none."""
    start = len(text)
    while start and _IN_EMOJI.match(text, start - 1):
        start -= 1
    # A joiner or a selector behind a letter is part of how that is written.
    while start < len(text) and not (text[start].isspace() or EMOJI.match(text, start)):
        start += 1
    return start


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
"""What makes a line an item of a list, a quotation or a heading."""
_PREFIX = re.compile(rf"(?:\s++|{_MARKER}|{EMOJI.pattern})*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """A sentence in three parts; together they are the sentence."""

    prefix: str
    core: str
    """What the model sees: without white space at either end, empty if nothing is left."""
    suffix: str


def needs_model(text: str) -> bool:
    """Whether there is anything to translate.

    There is not if every word is an address (URL, e-mail, path) or has no letters: digits,
    punctuation, currency signs and emoji are the same everywhere.
    """
    return any(_is_language(token.group()) for token in _TOKEN.finditer(EMOJI.sub(" ", text)))


def _is_language(token: str) -> bool:
    if not any(character.isalpha() for character in token):
        return False
    return not (_ADDRESS.fullmatch(token) or _ADDRESS.fullmatch(token.strip(_AROUND_TOKEN)))


def trim(text: str) -> Trimmed:
    """Set aside what stands before and behind the words, as it is.

    Bullets, numbers and checkboxes of lists, marks of quotations and headings, emoji and white
    space: a model drops them, doubles them, or loses the words beside them.
    """
    match = _PREFIX.match(text)
    start = match.end() if match else 0
    end = max(start, trailing_emoji_start(text))
    return Trimmed(prefix=text[:start], core=text[start:end], suffix=text[end:])
