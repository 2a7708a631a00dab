"""Stands for a translator of documents: capitals between brackets, tags where they were."""

import html
import re

_TAG = re.compile(r"<code [^>]*>[^<]*</code>|<[^>]*>")
OPEN, CLOSE = "⟦", "⟧"


def translated(text: str, text_format: str) -> str:
    """A translation that shows how often something was translated."""
    if text_format == "text":
        return f"{OPEN}{text.upper()}{CLOSE}"
    parts, position = [], 0
    for tag in _TAG.finditer(text):
        parts += [_capitals(text[position : tag.start()]), tag.group()]
        position = tag.end()
    parts.append(_capitals(text[position:]))
    words = [index for index, part in enumerate(parts) if index % 2 == 0 and part.strip()]
    parts[words[0]] = OPEN + parts[words[0]]
    parts[words[-1]] += CLOSE
    return "".join(parts)


def _capitals(text: str) -> str:
    return html.escape(html.unescape(text).upper(), quote=False)
