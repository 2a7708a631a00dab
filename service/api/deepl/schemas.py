"""Requests and replies of DeepL's dialect."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from service.api.glossaries.glossaries import MAX_TOGETHER
from service.api.replies.json import Reply
from service.api.requests.schemas import LanguageCode, Texts
from service.text.markup.passage import MarkupOptions


def _tag_names(value: object) -> object:
    """Tag names from a list, or from a string with commas."""
    parts = value if isinstance(value, list) else [value]
    names: set[str] = set()
    for part in parts:
        if not isinstance(part, str):
            raise PydanticCustomError("tags", "Input should be a list of names")
        given = part.split(",", MAX_TAG_NAMES)
        names.update(name.strip().lower() for name in given)
        if len(given) > MAX_TAG_NAMES or len(names) > MAX_TAG_NAMES:
            raise PydanticCustomError("tags", "more than {limit} names", {"limit": MAX_TAG_NAMES})
    return names - {""}


def _nothing(_: object) -> None:
    """What is not looked at is not kept: it may be as large as a body."""


def _splitting(value: object) -> object:
    return {"true": "1", "false": "0"}.get(str(value).lower(), str(value))


def known_formality(value: object) -> object:
    """Refuses what no language has."""
    if value in ("more", "less"):
        raise PydanticCustomError(
            "formality", "no language has it: leave it out, or use prefer_more or prefer_less"
        )
    return value


def _refused(_: object) -> object:
    raise PydanticCustomError("unsupported", "it is not supported: leave it out")


def _ids(value: object) -> object:
    """Ids from a list, or from a string with commas."""
    return tuple(value.split(",", MAX_TOGETHER)) if isinstance(value, str) else value


def check_glossary_fields(one: str | None, several: tuple[str, ...], source: str | None) -> None:
    """Check the parameters that name glossaries.

    Raises:
        PydanticCustomError: They contradict each other, or the source language is not named.
    """
    if one and several:
        raise PydanticCustomError("glossary", "send glossary_id or glossary_ids, not both")
    if (one or several) and source is None:
        raise PydanticCustomError("glossary", "source_lang is required with a glossary")


MAX_TAG_NAMES = 1_000
"""Of a list of elements."""
MAX_ID_CHARS = 100
"""More than any id has."""
Ignored = Annotated[None, BeforeValidator(_nothing, json_schema_input_type=Any)]
TagNames = Annotated[frozenset[str], BeforeValidator(_tag_names, json_schema_input_type=list[str])]
GlossaryId = Annotated[str, Field(max_length=MAX_ID_CHARS)]
GlossaryIds = Annotated[
    tuple[GlossaryId, ...],
    Field(max_length=MAX_TOGETHER),
    BeforeValidator(_ids, json_schema_input_type=list[str]),
]
Unsupported = Annotated[None, BeforeValidator(_refused)]
Formality = Literal["default", "more", "less", "prefer_more", "prefer_less"]


class DeeplParameters(BaseModel):
    """Parameters of a request; a number is taken for a text."""

    model_config = ConfigDict(
        frozen=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        coerce_numbers_to_str=True,
    )


class DeeplTranslateParameters(DeeplParameters):
    """What `POST /v2/translate` takes. Unknown parameters are ignored."""

    text: Texts
    """Texts; in a form `text` may be repeated."""
    target_lang: LanguageCode
    """Such as `DE` or `EN-GB`; regions that no model knows do not count."""
    source_lang: LanguageCode | None = None
    """If absent, each text's language is found out."""
    auth_key: Any = ""
    """A key, where the server asks for one; better in the header
    `Authorization: DeepL-Auth-Key KEY`."""
    context: Ignored = None
    """Accepted and not looked at: the model translates sentence by sentence."""
    split_sentences: (
        Annotated[Literal["0", "1", "nonewlines"], BeforeValidator(_splitting)] | None
    ) = None
    """`1`, sentences and lines; `0`, nothing; `nonewlines`, sentences, over the ends of lines."""
    preserve_formatting: Ignored = None
    """Accepted: formatting is always kept."""
    formality: Annotated[Formality, BeforeValidator(known_formality)] = "default"
    """`more` and `less` are refused, `prefer_more` and `prefer_less` change nothing."""
    glossary_id: GlossaryId | None = None
    """A glossary of the key or of the server; needs `source_lang`."""
    glossary_ids: GlossaryIds = ()
    """Several, instead of `glossary_id`; of one term the first counts."""
    style_id: Unsupported = None
    """Refused."""
    translation_memory_id: Unsupported = None
    """Refused."""
    custom_instructions: Unsupported = None
    """Refused."""
    model_type: Ignored = None
    """Accepted and not looked at: there is one model for each pair."""
    tag_handling: Literal["html", "xml"] | None = None
    """What the texts are marked up in; plain text if absent."""
    tag_handling_version: Ignored = None
    """Accepted and not looked at."""
    outline_detection: Ignored = None
    """Accepted and not looked at."""
    ignore_tags: TagNames = frozenset()
    """Elements whose content is not translated."""
    splitting_tags: TagNames = frozenset()
    """Elements that separate sentences, beside the block elements of HTML."""
    non_splitting_tags: TagNames = frozenset()
    """Elements that do not, even if HTML says they do."""
    show_billed_characters: Ignored = None
    """Accepted: they are always shown."""

    @property
    def glossaries(self) -> tuple[str, ...]:
        """Ids of the glossaries that are asked for."""
        return (self.glossary_id, *self.glossary_ids) if self.glossary_id else self.glossary_ids

    @model_validator(mode="after")
    def _glossaries_know_their_source(self) -> Self:
        check_glossary_fields(self.glossary_id, self.glossary_ids, self.source_lang)
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """`text` as a list."""
        return (self.text,) if isinstance(self.text, str) else tuple(self.text)

    @property
    def markup(self) -> MarkupOptions | None:
        """How to parse the texts; None: plain text."""
        if self.tag_handling is None:
            return None
        return MarkupOptions(
            kind=self.tag_handling,
            ignore_tags=self.ignore_tags,
            splitting_tags=self.splitting_tags,
            non_splitting_tags=self.non_splitting_tags,
        )


class DeeplLanguagesParameters(DeeplParameters):
    """What `GET /v2/languages` takes. Unknown parameters are ignored."""

    type: Literal["source", "target"] = "source"
    """Languages to translate from, or to."""
    auth_key: Any = ""
    """A key, where the server asks for one."""


class DeeplTranslation(Reply):
    """One text."""

    detected_source_language: str
    """The source language, given or detected."""
    text: str
    """The translation."""
    billed_characters: int
    """Characters of the text, if asked for."""


class DeeplTranslateReply(Reply):
    """The translations, in the order of the texts."""

    translations: list[DeeplTranslation]
    """One for each text."""


class DeeplLanguage(Reply):
    """A language."""

    language: str
    """In DeepL's spelling, such as EN or PT-BR."""
    name: str
    """In English."""
    supports_formality: bool
    """Always false: `formality` is refused."""


class DeeplUsage(Reply):
    """What was translated with a key this month."""

    character_count: int
    """Characters translated this month."""
    character_limit: int
    """Characters that the key may translate in a month."""
