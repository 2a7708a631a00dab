"""Which of a document's languages is that of its translation: there is one for each script."""

from collections.abc import Callable
from typing import Literal

Script = Literal["latin", "asian", "complex"]

_ASIAN = frozenset(["ja", "ko", "yue", "zh"])
_COMPLEX = frozenset(
    ["ar", "bn", "dv", "fa", "gu", "he", "hi", "km", "kn", "lo", "ml", "mr", "my", "ne", "pa", "ps",
     "ta", "te", "th", "ur", "yi"]
    )  # fmt: skip
"""Languages for which Office and OpenDocument have settings of their own."""


def script_of(language: str) -> Script:
    """The setting that names a language, by its BCP-47 code."""
    primary = language.lower().partition("-")[0]
    if primary in _ASIAN:
        return "asian"
    return "complex" if primary in _COMPLEX else "latin"


def language_for(script: Script) -> Callable[[str], bytes | None]:
    """Renders a language at the place of a script; None if it has another one."""

    def render(language: str) -> bytes | None:
        return language.encode("ascii", "ignore") if script_of(language) == script else None

    return render
