"""Requests and replies of Google's dialects."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from service.api.replies.json import Reply
from service.api.requests.schemas import LanguageCode, Text, Texts
from service.api.served_languages import AUTO


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class GoogleTranslateParameters(_Parameters):
    """What `POST /google/language/translate/v2` takes. Unknown parameters are ignored."""

    q: Texts
    """A text, or a list; a query string or form may repeat it."""
    target: LanguageCode
    """Such as `de` or `zh-CN`; case does not matter."""
    source: LanguageCode = AUTO
    """If absent, each text's language is found out."""
    format: Literal["html", "text"] = "html"
    """As at Google, texts are HTML unless this says `text`."""
    key: Any = ""
    """A key, where the server asks for one; also as `X-Goog-Api-Key`."""

    @property
    def texts(self) -> tuple[str, ...]:
        """`q` as a list."""
        return texts_of(self.q)


class GoogleDetectParameters(_Parameters):
    """What `POST /google/language/translate/v2/detect` takes. Unknown parameters are ignored."""

    q: Texts
    """A text, or a list; a query string or form may repeat it."""
    key: Any = ""
    """A key, where the server asks for one; also as `X-Goog-Api-Key`."""

    @property
    def texts(self) -> tuple[str, ...]:
        """`q` as a list."""
        return texts_of(self.q)


class GoogleLanguagesParameters(_Parameters):
    """What `GET /google/language/translate/v2/languages` takes. Unknown parameters are ignored."""

    target: LanguageCode | None = None
    """Adds the names of the languages, in English whatever it says."""
    key: Any = ""
    """A key, where the server asks for one; also as `X-Goog-Api-Key`."""


class GoogleSingleParameters(_Parameters):
    """What `GET /google/translate_a/single` takes. Unknown parameters are ignored."""

    q: Text
    """A text."""
    tl: LanguageCode
    """Language to translate to, such as `de` or `zh-CN`."""
    sl: LanguageCode = AUTO
    """Language of the text; if absent or `auto`, it is found out."""
    dj: Literal["0", "1"] = "0"
    """`1`: the reply is an object instead of an array."""
    key: Any = ""
    """A key, where the server asks for one; also as `X-Goog-Api-Key`."""


class GoogleTranslation(Reply):
    """One text."""

    translatedText: str  # noqa: N815 - Google's name
    """The translation."""
    detectedSourceLanguage: str | None = None  # noqa: N815
    """Only where `source` was not given."""


class GoogleTranslations(Reply):
    """The translations, in the order of `q`."""

    translations: list[GoogleTranslation]
    """One for each text."""


class GoogleTranslateReply(Reply):
    """Reply of `POST /google/language/translate/v2`."""

    data: GoogleTranslations
    """The translations."""


class GoogleDetection(Reply):
    """The language of a text."""

    language: str
    """Code of the language."""
    confidence: float
    """From 0 to 1."""
    isReliable: bool = False  # noqa: N815
    """Deprecated at Google."""


class GoogleDetections(Reply):
    """For each text a list of one."""

    detections: list[list[GoogleDetection]]
    """A list for each text."""


class GoogleDetectReply(Reply):
    """Reply of `POST /google/language/translate/v2/detect`."""

    data: GoogleDetections
    """What was found."""


class GoogleLanguage(Reply):
    """A language."""

    language: str
    """Code of the language."""
    name: str | None = None
    """In English, if a language for names was given."""


class GoogleLanguages(Reply):
    """Languages that are translated from, or to."""

    languages: list[GoogleLanguage]
    """Languages that can be translated."""


class GoogleLanguagesReply(Reply):
    """Reply of `GET /google/language/translate/v2/languages`."""

    data: GoogleLanguages
    """The languages."""


def texts_of(value: str | list[str]) -> tuple[str, ...]:
    """A text or a list of texts as a list."""
    return (value,) if isinstance(value, str) else tuple(value)
