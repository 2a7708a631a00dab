"""Where a text file names its own language: in a header, or by the key above all others."""

import re
from collections.abc import Sequence
from functools import partial

from service.documents.document import LanguageCode, Part
from service.text.language_names import is_known

_HEADER_LINE = re.compile(r"[A-Z][A-Za-z0-9-]*+:")
_HEADER_FIELDS = ("Project-Id-Version:", "MIME-Version:", "Content-Type:", "Language:")
_LANGUAGE_FIELD = re.compile(r"(?:\A|\\n|\n)Language: *+(?P<code>[A-Za-z0-9_@.-]*+)")
"""As the header spells it, in which `\\n` may stand for a line end."""


def is_gettext_header(value: str) -> bool:
    """Whether a value of an empty key is the header of a gettext catalogue."""
    lines = value.strip().split("\n")
    return value.startswith(_HEADER_FIELDS) and all(map(_HEADER_LINE.match, lines))


def header_parts(raw: str) -> Sequence[Part]:
    """A header in the spelling of its file, with the place of its language."""
    found = _LANGUAGE_FIELD.search(raw)
    if found is None:
        return [raw]
    start, end = found.span("code")
    return [raw[:start], language_code(found["code"]), raw[end:]]


def language_code(original: str) -> LanguageCode:
    """The place of a language, which is written as it was: `pt_BR` or `pt-BR`."""
    mark = "_" if "_" in original else "-"
    return LanguageCode(original=original, render=partial(_rendered, original, mark))


def is_language_key(key: str) -> bool:
    """Whether the only key of a file says the language of all its values."""
    base, *rest = key.replace("_", "-").split("-")
    has_region = not rest or (len(rest) == 1 and 2 <= len(rest[0]) <= 4 and rest[0].isalnum())
    return base.islower() and has_region and is_known(base)


def _rendered(original: str, mark: str, language: str) -> str:
    is_same = _primary(original) == _primary(language)
    return original if is_same else language.replace("-", mark)


def _primary(code: str) -> str:
    return code.lower().replace("_", "-").partition("-")[0]
