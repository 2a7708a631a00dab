"""What must not be translated: variables, tags, addresses, code, quantities."""

import re

from service.text.emoji import EMOJI
from service.text.protected import Protected

_UNITS = (  # the longer before what it begins with
    "°[CF]|%(?=[,.;:!?)]|$)|[kKMGTP]i?[Bb](?:/s|ps)?|[kMGT]?Hz|[kMGm]?W(?:h|p)?|[mk]?V|m?A(?:h)?"
    "|km/h|[nµumck]?m[²³]?|mph|[mµk]?g|m?l|[nµm]?s|px|pt|em|rem|dpi|fps|ft|lbs?|oz|kcal|bar|h?Pa"
)
_ATTRIBUTE = (
    r"\s+[\w:.-]{1,40}(?:\s*=\s*(?:\"[^\"<>\n]{0,200}\"|'[^'<>\n]{0,200}'|[^\s\"'<>]{1,200}))?"
)
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
    "code": [r"``(?:[^`\n]|`(?!`)){1,200}``", r"`[^`\n]{1,200}`"],
    "templates": [
        r"\{\{[^{}\n]{0,80}\}\}",
        r"[$\#]\{[^{}\n]{1,80}\}",
        r"\{%[^{}\n]{1,80}%\}",
        r"%?\{[\w.:\[\]!,-]{0,60}\}",
        r"\$\([A-Za-z_]\w{0,40}\)",
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
        r"&(?:[A-Za-z]{2,10}|\#\d{1,6}|\#x[0-9A-Fa-f]{1,6});",
    ],
    "addresses": [
        r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}://|www\.|mailto:)[^\s<>\"'`{}|\\^]{1,2000}",
        r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
        rf"(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,5}}(?:{_DOMAINS})(?:/[^\s<>\"'`]{{0,500}})?(?!\w)",
    ],
    "paths": [
        r"(?<![\w/.~])(?:~|\.{1,2})?/(?:[\w.+@%:=-]{1,100}/){0,30}[\w.+@%:=-]{1,100}/?",
        r"(?<!\w)[A-Za-z]:\\[^\s<>\"'|?*]{1,400}",
        r"(?<!\w)\\\\[\w.$-]{1,60}\\[^\s<>\"'|?*]{0,400}",
        r"(?<![\w/.])(?:[\w.-]{1,60}/){1,20}[\w-]{1,60}\.\w{1,5}(?!\w)",
        rf"(?<![\w.])[\w-]{{1,60}}\.(?:{_FILES})(?!\w)",
    ],
    "emoji": [r":[a-z0-9_+-]{2,40}:(?!\w)", EMOJI.pattern],
    "handles": [r"(?<![\w@])@[A-Za-z]\w{1,38}(?!\w)", r"(?<![\w\#&])\#[A-Za-z]\w{1,60}(?!\w)"],
    "hashes": [
        r"(?<!\w)[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?!\w)",
        r"(?<!\w)(?=[a-f]{0,64}\d)(?=\d{0,64}[a-f])[0-9a-f]{7,64}(?!\w)",
    ],
    "versions": [
        r"(?<![\w.])v\d{1,5}(?:\.\w{1,10}){0,5}(?!\w)",
        r"(?<![\w.])\d{1,5}(?:\.\d{1,5}){2,5}(?!\w)",
    ],
    "variables": [r"(?<![\w$])\$[A-Za-z_]\w{0,60}(?!\w)", r"(?<!\w)--[a-z][a-z0-9-]{1,40}(?!\w)"],
    "quantities": [
        rf"(?<![\w.,])[-+±]?\d{{1,15}}(?:[.,]\d{{1,9}}){{0,5}}[ \u00a0\u202f]?(?:{_UNITS})(?!\w)",
    ],
}
"""By kind; bounded everywhere, so that no text takes more than its linear share of time."""

_PLACEHOLDER = re.compile(
    "|".join(f"(?:{pattern})" for patterns in _PATTERNS.values() for pattern in patterns)
)
_TRAILING = ".,;:!?…'\"”“’»)"  # noqa: RUF001
"""Ends a sentence rather than an address."""


def find_placeholders(text: str) -> list[Protected]:
    """Everything in a sentence that has to come back as it is, by position."""
    found = []
    for match in _PLACEHOLDER.finditer(text):
        end = _end(match)
        found.append(Protected(start=match.start(), end=end, replacement=text[match.start() : end]))
    return found


def _end(match: re.Match[str]) -> int:
    """Without punctuation that belongs to the sentence around an address."""
    matched = match.group()
    if not any(mark in matched for mark in "/@.\\"):
        return match.end()
    stripped = matched.rstrip(_TRAILING)
    if matched[len(stripped) :].startswith(")") and stripped.count("(") > stripped.count(")"):
        stripped += ")"
    return match.start() + len(stripped) if stripped and matched[-1] not in ">}`" else match.end()
