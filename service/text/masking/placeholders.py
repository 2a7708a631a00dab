"""Placeholders: variables, tags, addresses, code, quantities, which are not translated."""

import re
from collections.abc import Iterable, Iterator

from service.text.masking.protected import Protected
from service.text.shape import EMOJI

_UNITS = (  # the longer before what it begins with; `1990 em` is Portuguese
    "°[CF]|%(?=[,.;:!?)]|$)|[kKMGTP]i?[Bb](?:/s|ps)?|[kMGT]?Hz|[kMGm]?W(?:h|p)?|[mk]?V|m?A(?:h)?"
    "|km/h|[nµumck]?m[²³]?|mph|[mµk]?g|m?l|[nµm]?s|px|pt|(?<=[0-9])r?em|dpi|fps|ft|lbs?|oz|kcal"
    "|bar|h?Pa"
)
_NO_DECADE = r"(?<![\w.,])(?!(?:1[5-9]|20)\d0s(?!\w))"
"""Begins no word, and no decade: `1990s`."""
_ATTRIBUTE = (
    r"\s+[\w:.-]{1,40}(?:\s*=\s*(?:\"[^\"<>\n]{0,200}\"|'[^'<>\n]{0,200}'|[^\s\"'<>]{1,200}))?"
)
_NO_RATE = r"(?<!\d[%€$£¥])(?<!\d[ \u00a0\u202f][%€$£¥])"
"""Not behind an amount: `10 €/Monat`."""
_NODE = r"[\w.+@%:=-]{1,100}"
"""Between the slashes of a path."""
_DOMAINS = "com|org|net|de|io|dev|eu|info|gov|edu|ch|at"
_FILES = (
    "txt|html?|json|ya?ml|xml|csv|pdf|docx?|xlsx?|png|jpe?g|svg|zip|gz|py|js|ts|css|md|sh|toml|ini"
    "|conf|log|exe|dll|so|mp[34]"
)
_PATTERNS = {
    "pieces of the model's own": [
        r">>\w{2,3}<<",
        r"⟦[^⟧\s]{0,8}⟧",
        r"</?(?:s|unk|pad)>",
        r"<0x[0-9A-F]{2}>",
        "▁",
    ],
    "escapes": [r"\\[nrt](?![a-z])", r"\\u[0-9a-fA-F]{4}", "\x1b\\[[0-9;]{0,20}[A-Za-z]"],
    "code": [r"``(?:[^`\n]|`(?!`)){1,200}``", r"`[^`\n]{1,200}`"],
    "templates": [
        r"\{\{[^{}\n]{0,80}\}\}",
        r"[$\#]\{[^{}\n]{1,80}\}",
        r"\{%[^{}\n]{1,80}%\}",
        r"%?\{[\w.:\[\]!,-]{0,60}\}",
        r"\$\w{0,40}\([A-Za-z_][\w.,: ]{0,60}\)",
        r"\{\w{1,40},\s?(?:plural|select|selectordinal),(?:[^{}]|\{[^{}]{0,400}\}){1,400}\}",
        r"\{\w{1,40},\s?\w{1,20}(?:,[^{}]{1,60})?\}",
        r"\[\[\w{1,40}\]\]",
        r"__[A-Z]\w{0,40}__",
        r"%[A-Z][A-Z0-9_]{1,40}%",
    ],
    "printf": [
        r"%(?:\d{1,2}\$)?[-+0#]{0,2}\d{0,3}(?:\.\d{1,2})?(?:hh?|ll?|z)?[sdiufFeEgGxXcp@](?![A-Za-z])",
        r"%\(\w{1,40}\)[sdifrx]",
        "%%",
    ],
    "tags and entities": [
        rf"</?[A-Za-z][\w:.-]{{0,40}}(?:{_ATTRIBUTE}){{0,20}}\s*/?>",
        r"\]\([^()\s]{1,500}\)",  # what a link in Markdown leads to
        r"&(?:[A-Za-z]{2,10}|\#\d{1,6}|\#x[0-9A-Fa-f]{1,6});",
    ],
    "addresses": [
        r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}://|www\.|mailto:)[^\s<>\"'`{}|\\^]{1,100000}",
        r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
        rf"(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,5}}(?:{_DOMAINS})(?:/[^\s<>\"'`]{{0,500}})?(?!\w)",
    ],
    "paths": [
        rf"{_NO_RATE}(?<![\w/.~])(?:~|\.{{1,2}})?/(?:{_NODE}/){{0,30}}{_NODE}/?",
        r"(?<!\w)[A-Za-z]:\\[^\s<>\"'|?*]{1,400}",
        r"(?<!\w)\\\\[\w.$-]{1,60}\\[^\s<>\"'|?*]{0,400}",
        r"(?<![\w/.])(?:[\w.-]{1,60}/){1,20}[\w-]{1,60}\.\w{1,5}(?!\w)",
        rf"(?<![\w.])[\w-]{{1,60}}\.(?:{_FILES})(?!\w)",
    ],
    "emoji": [
        r":[a-z0-9_+-]{2,40}:(?!\w)",
        EMOJI.pattern,
        r"(?<!\S)[:;=][-']?[()DPpOo|/\\*](?!\w)",
        r"¯\\_\(ツ\)_/¯",
        r"[©®™]",
    ],
    "handles": [r"(?<![\w@])@[A-Za-z]\w{1,38}(?!\w)", r"(?<![\w\#&])\#[A-Za-z]\w{1,60}(?!\w)"],
    "hashes": [
        r"(?<!\w)[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?!\w)",
        r"(?<!\w)(?=[a-f]{0,64}\d)(?=\d{0,64}[a-f])[0-9a-f]{7,64}(?!\w)",
    ],
    "versions": [
        r"(?<![\w.])v\d{1,5}(?:\.\w{1,10}){0,5}(?!\w)",
        r"(?<![\w.])\d{1,5}(?:\.\d{1,5}){2,5}(?!\w)",
    ],
    "variables": [
        r"(?<![\w$])\$[A-Za-z_]\w{0,60}(?!\w)",
        r"(?<!\w)--[a-z][a-z0-9-]{1,40}(?!\w)",
        r"(?<!\w)[A-Za-z][A-Za-z0-9]{0,40}(?:_[A-Za-z0-9]{1,40}){1,10}(?:\(\))?(?!\w)",
        r"(?<!\w)[a-z]{1,40}(?:[A-Z][a-z0-9]{2,40}){1,10}(?:\(\))?(?!\w)",
        r"(?<!\w)[A-Za-z]\w{0,40}\(\)",
    ],
    "quantities": [
        rf"{_NO_DECADE}[-+±]?\d{{1,15}}(?:[.,]\d{{1,9}}){{0,5}}[ \u00a0\u202f]?(?:{_UNITS})(?!\w)",
        r"(?<![\w+])\+\d{1,3}(?:[ ./-]?\(?\d{1,12}\)?){1,8}(?!\w)",  # telephone
        r"(?<![\w.,-])\d{1,12}(?:-\d{1,12}){2,8}(?![\w-])",  # dates, ISBN
        r"(?<![\w-])[A-Z]{1,10}-\d[\w-]{0,30}(?!\w)",
        # Others of four digits are years, which a model handles as it does words around them.
        r"(?<![\w.,:/-])(?:\d{5,30}|(?!1[5-9]|20)\d{4})(?![\w:/%-]|[.,]\d)",
        r"(?<!\w)[A-Za-z]{1,3}[⁰¹²³⁴-⁹₀-₉]{1,5}(?!\w)",
    ],
    "characters without meaning": ["[\ufffc\ufffd\ue000-\uf8ff\u202a-\u202e\u2066-\u2069]"],
}
"""By kind; every repetition is bounded, so that the cost is linear in the text."""

_STARTS = {
    "pieces of the model's own": "[>⟦<▁]",
    "escapes": r"[\\\x1b]",
    "code": "`",
    "templates": r"[{$\#%\[_]",
    "printf": "%",
    "tags and entities": r"[<\]&]",
    "addresses": r"[\w.+%-]",
    "paths": r"[\w/.~\\-]",
    "emoji": r"[0-9\#*:;=\x80-\U0010ffff]",
    "handles": r"[@\#]",
    "hashes": "[0-9a-fA-F]",
    "versions": r"[v\d]",
    "variables": r"[$A-Za-z-]",
    "quantities": r"[-+±\dA-Za-z]",
    "characters without meaning": "[\u2000-\uffff]",
}
"""What patterns of a kind begin with: at other characters none of them is tried."""

_PRIVATE = re.compile("[\ue000-\uf8ff]")
_FOREIGN = (
    "[\u0370-\u1dbf\u1f00-\u1fff\u2c00-\u2c5f\u2d00-\u2dff\u2e80-\ua71f\ua800-\uab2f"
    "\uab70-\ud7ff\uf900-\ufaff\ufb1d-\ufdff\ufe70-\ufefe\uff01-\uffdc"
    "\U00010000-\U0001cfff\U0001d100-\U0001d7ff\U00020000-\U000323af]"
)
_FOREIGN_WORDS = (
    f"[\u200c\u200d\u200f]?{_FOREIGN}(?:[\u200b-\u200f\u0300-\u036f ]{{0,3}}{_FOREIGN})*"
    "[\u200c\u200d\u200f]?"
)
"""Words in a script other than Latin."""
_LATIN_LANGUAGES = frozenset(
    ("af", "ca", "cs", "cy", "da", "de", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr",
     "hu", "id", "is", "it", "lt", "lv", "ms", "mt", "nb", "nl", "nn", "no", "pl", "pt", "ro",
     "sk", "sl", "sq", "sv", "sw", "tl", "tr", "vi")
)  # fmt: skip


_PLAIN = (
    r"\s|(?:[A-ZÀ-ÖØ-Þ]?[a-zß-öø-ÿ]{1,40}+|[A-ZÀ-ÖØ-Þ]{1,40}+)"
    r"(?=[\s,;!?\"')]|[.:](?:\s|\Z)|\Z)"
)
"""White space, and the rest of an ordinary word: no placeholder begins there, and nearly all of a
text is that. Asked first, it saves the sixty patterns."""


def _begun(kind: str) -> str:
    """The patterns of a kind, tried where one of them may begin."""
    return f"(?={_STARTS[kind]})(?:{_any_of(_PATTERNS[kind])})"


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


_KINDS = [_begun(kind) for kind in _PATTERNS]
_PLACEHOLDER = re.compile(f"(?!{_PLAIN})(?:{_any_of(_KINDS)})")
_PLACEHOLDER_OR_FOREIGN = re.compile(f"(?!{_PLAIN})(?:{_any_of([*_KINDS, _FOREIGN_WORDS])})")
_TRAILING = ".,;:!?…'\"”“’»)"  # noqa: RUF001
"""Punctuation that ends a sentence rather than an address."""
_WINDOW = 1_024
"""Characters of one search, which holds the GIL until it finds something."""
_MARGIN = 512
"""Characters behind a window that a match which begins in it may look at."""


def find_placeholders(text: str, language: str = "") -> list[Protected]:
    """Everything in a sentence that has to be copied unchanged, by position.

    Placeholders that touch are found as one, because a model would insert something between
    them; private-use characters, which may be sentinels, are found alone.

    Args:
        text: The sentence.
        language: Its code; words in other scripts are found if that is written in Latin letters.
    """
    is_latin = language.split("-", maxsplit=1)[0] in _LATIN_LANGUAGES
    pattern = _PLACEHOLDER_OR_FOREIGN if is_latin else _PLACEHOLDER
    spans: list[tuple[int, int]] = []
    for match in _matches(pattern, text):
        start, end = match.start(), _end(match)
        if spans and spans[-1][1] == start and not _PRIVATE.search(text, start - 1, start + 1):
            start, _ = spans.pop()
        spans.append((start, end))
    return [Protected(start=a, end=b, replacement=text[a:b]) for a, b in spans]


def _matches(
    pattern: re.Pattern[str], text: str, window: int = _WINDOW, margin: int = _MARGIN
) -> Iterator[re.Match[str]]:
    """What `finditer` finds, by searches that are short however long the text is.

    A placeholder of more than `margin` characters is only found if a part of it looks like one.
    """
    if len(text) <= window + margin:
        yield from pattern.finditer(text)
        return
    position = 0
    while position < len(text):
        match = pattern.search(text, position, position + window + margin)
        if match is None or match.start() >= position + window:
            position += window
            continue
        # The pattern takes the window's end for the text's: it may find too little, or too much.
        whole = pattern.match(text, match.start())
        if whole is None:
            position = match.start() + 1
            continue
        yield whole
        position = whole.end()


def _end(match: re.Match[str]) -> int:
    """End of a match, without punctuation of the sentence around an address."""
    matched = match.group()
    if not any(mark in matched for mark in "/@.\\"):
        return match.end()
    stripped = matched.rstrip(_TRAILING)
    if matched[len(stripped) :].startswith(")") and stripped.count("(") > stripped.count(")"):
        stripped += ")"
    return match.start() + len(stripped) if stripped and matched[-1] not in ">}`" else match.end()
