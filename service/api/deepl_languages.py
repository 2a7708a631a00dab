"""What DeepL calls the languages."""

from collections.abc import Collection

from service.api.language_names import name_of

_TARGETS = {
    "en": {"EN-GB": "English (British)", "EN-US": "English (American)"},
    "pt": {"PT-BR": "Portuguese (Brazilian)", "PT-PT": "Portuguese (European)"},
}
"""Targets that have no name of their own without a region: its clients refuse a plain `EN`."""


def from_deepl(code: str, served: Collection[str]) -> str:
    """Our code of a language; a region that is not served by itself does not count."""
    lower = code.lower()
    return lower if lower in served else lower.partition("-")[0]


def to_deepl(code: str) -> str:
    """DeepL's code of a source language, which has no region."""
    return code.partition("-")[0].upper()


def source_names(codes: Collection[str]) -> dict[str, str]:
    """Names by DeepL's code."""
    return {to_deepl(code): name_of(code.partition("-")[0]) for code in codes}


def target_names(codes: Collection[str]) -> dict[str, str]:
    """Names by DeepL's code; regions of one language are translated by the same model."""
    names: dict[str, str] = {}
    for code in codes:
        names |= _TARGETS.get(code, {code.upper(): name_of(code)})
    return names
