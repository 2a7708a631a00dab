"""Where a term stands by itself, and not inside a longer word."""

import re


def standing_alone(text: str) -> str:
    """A pattern for `text` with no letter or digit going on before or behind its own."""
    before = r"(?<!\w)" if text[:1].isalnum() else ""
    behind = r"(?!\w)" if text[-1:].isalnum() else ""
    return before + re.escape(text) + behind


def any_of(texts: frozenset[str]) -> re.Pattern[str]:
    """Matches any of `texts` standing alone, the longest of those that begin at one place."""
    return re.compile("|".join(map(standing_alone, sorted(texts, key=lambda text: -len(text)))))
