"""The languages of the loaded models, and their names."""

from bundle.languages import parse_language
from service.models.registry import Registry

AUTO = "auto"
"""Source language of a request whose texts are in a language to be detected."""
_NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "da": "Danish", "de": "German", "el": "Greek", "en": "English", "eo": "Esperanto",
    "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "ga": "Irish", "gl": "Galician", "he": "Hebrew", "hi": "Hindi",
    "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "ms": "Malay",
    "mt": "Maltese", "nb": "Norwegian Bokmål", "nl": "Dutch", "nn": "Norwegian Nynorsk",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish",
    "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


def name_of(code: str) -> str:
    """English name of a language; unknown codes are returned as they are."""
    base, _, rest = code.partition("-")
    name = _NAMES.get(base, base)
    return f"{name} ({rest.upper()})" if rest else name


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
