"""The languages of the loaded models."""

from bundle.languages import parse_language
from service.models.registry import Registry

AUTO = "auto"
"""Source language of a request whose texts are in a language to be detected."""


def targets_by_source(registry: Registry) -> dict[str, list[str]]:
    """Source languages, each with its target languages, sorted."""
    return registry.routes.targets_by_source()


def target_languages(registry: Registry) -> list[str]:
    """All target languages, sorted."""
    return sorted({t for targets in targets_by_source(registry).values() for t in targets})


def web_code(code: str) -> str:
    """A code as Google and the extensions of browsers write it: `zh-CN`, `pt-BR`."""
    language = parse_language(code)
    if language.language == "zh":
        return "zh-TW" if language.usual_script == "hant" else "zh-CN"
    base, _, rest = code.lower().partition("-")
    return f"{base}-{rest.upper()}" if len(rest) == 2 else code.lower()
