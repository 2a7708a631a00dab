"""Requests and replies about glossaries, versions 2 and 3 of DeepL's API."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from service.api.deepl.schemas import DeeplParameters
from service.api.glossaries.glossaries import MAX_DICTIONARIES, MAX_NAME_CHARS
from service.api.glossaries.stored import (
    Dictionary,
    DictionaryInfo,
    GlossaryInfo,
    StoredGlossary,
    Term,
    base_of,
    meaning_of,
)
from service.api.glossaries.terms_file import read_terms, write_tsv
from service.api.replies.json import Reply
from service.errors import InvalidRequestError
from service.text.masking.glossary import GlossaryError


def _hyphenated(value: object) -> object:
    return value.replace("_", "-") if isinstance(value, str) else value


GlossaryLanguage = Annotated[
    str,
    StringConstraints(to_lower=True, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", max_length=35),
    BeforeValidator(_hyphenated),
]
GlossaryName = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
_FORM_FIELD = re.compile(r"dictionaries\[(\d{1,3})\]\.(\w{1,20})\Z")
"""A field of a dictionary in a form, as DeepL's client for Node sends them."""


class DictionaryParameters(DeeplParameters):
    """The terms of one direction. Unknown parameters are ignored."""

    source_lang: GlossaryLanguage
    """Such as `EN`; regions do not count."""
    target_lang: GlossaryLanguage
    """Such as `DE`; regions do not count."""
    entries: str
    """The terms with their translations, a line each."""
    entries_format: Literal["tsv", "csv"] = "tsv"
    """Values separated by tabs, or by commas."""

    def terms(self) -> tuple[Term, ...]:
        """The terms.

        Raises:
            InvalidRequestError: They cannot be used.
        """
        try:
            return read_terms(self.entries, self.entries_format)
        except GlossaryError as error:
            raise InvalidRequestError(f"Invalid request: {error}") from None

    def dictionary(self) -> Dictionary:
        """The terms as a dictionary.

        Raises:
            InvalidRequestError: They cannot be used.
        """
        source, target = base_of(self.source_lang), base_of(self.target_lang)
        meant = meaning_of((source, target))
        if meant[0] == meant[1]:
            raise InvalidRequestError(
                f"Invalid request: source_lang and target_lang are both {source}"
            )
        return Dictionary(source=source, target=target, entries=self.terms())


class GlossaryParameters(DictionaryParameters):
    """What `POST /v2/glossaries` takes. Unknown parameters are ignored."""

    name: GlossaryName
    """For people; native requests may name it as well."""
    auth_key: Any = ""
    """A key, where the server asks for one."""


class DictionaryUpdate(DictionaryParameters):
    """What `PUT /v3/glossaries/{id}/dictionaries` takes. Unknown parameters are ignored."""

    auth_key: Any = ""
    """A key, where the server asks for one."""


Dictionaries = Annotated[
    list[DictionaryParameters], Field(max_length=MAX_DICTIONARIES, fail_fast=True)
]


class _Multilingual(DeeplParameters):
    @model_validator(mode="before")
    @classmethod
    def _gather(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The fields of each dictionary of a form together, by their number."""
        found: dict[int, dict[str, Any]] = {}
        rest = {}
        for name, value in given.items():
            if place := _FORM_FIELD.match(name):
                found.setdefault(int(place[1]), {})[place[2]] = value
            else:
                rest[name] = value
        return (
            rest | {"dictionaries": [found[number] for number in sorted(found)]} if found else rest
        )


class MultilingualParameters(_Multilingual):
    """What `POST /v3/glossaries` takes. Unknown parameters are ignored."""

    name: GlossaryName
    """For people; native requests may name it as well."""
    dictionaries: Dictionaries
    """The terms, by direction."""
    auth_key: Any = ""
    """A key, where the server asks for one."""


class MultilingualUpdate(_Multilingual):
    """What `PATCH /v3/glossaries/{id}` takes. Unknown parameters are ignored."""

    name: GlossaryName | None = None
    """A new name."""
    dictionaries: Dictionaries = Field(default=[])
    """Terms to add; they replace those of the same source."""
    auth_key: Any = ""
    """A key, where the server asks for one."""


class PairParameters(DeeplParameters):
    """A direction, in the query."""

    source_lang: GlossaryLanguage
    """Such as `EN`."""
    target_lang: GlossaryLanguage
    """Such as `DE`."""
    auth_key: Any = ""
    """A key, where the server asks for one."""

    @property
    def pair(self) -> tuple[str, str]:
        """Source and target, without regions."""
        return base_of(self.source_lang), base_of(self.target_lang)


class GlossaryPair(Reply):
    """A direction for which there may be glossaries."""

    source_lang: str
    """The source language, in DeepL's spelling."""
    target_lang: str
    """The target language, in DeepL's spelling."""


class GlossaryPairsReply(Reply):
    """The directions that are served."""

    supported_languages: list[GlossaryPair]
    """Pairs of languages that a glossary can have."""


class GlossaryReply(Reply):
    """A glossary of one direction."""

    glossary_id: str
    """Names the glossary in later requests."""
    name: str
    """Given by the client."""
    ready: bool
    """Always true."""
    source_lang: str
    """The source language, in DeepL's spelling."""
    target_lang: str
    """The target language, in DeepL's spelling."""
    creation_time: str
    """When it was stored."""
    entry_count: int
    """How many terms there are."""


class GlossariesReply(Reply):
    """The glossaries of one direction each."""

    glossaries: list[GlossaryReply]
    """Those of the key."""


class DictionaryReply(Reply):
    """One direction of a glossary."""

    source_lang: str
    """The source language, in DeepL's spelling."""
    target_lang: str
    """The target language, in DeepL's spelling."""
    entry_count: int
    """How many terms there are."""


class MultilingualReply(Reply):
    """A glossary."""

    glossary_id: str
    """Names the glossary in later requests."""
    name: str
    """Given by the client."""
    dictionaries: list[DictionaryReply]
    """One for each pair of languages."""
    creation_time: str
    """When it was stored."""


class MultilingualListReply(Reply):
    """All glossaries."""

    glossaries: list[MultilingualReply]
    """Those of the key."""


class DictionaryEntriesReply(Reply):
    """The terms of one direction."""

    source_lang: str
    """The source language, in DeepL's spelling."""
    target_lang: str
    """The target language, in DeepL's spelling."""
    entries: str
    """Terms and their translations, as `entries_format` says."""
    entries_format: str
    """Always `tsv`."""


class EntriesReply(Reply):
    """Terms of a glossary."""

    dictionaries: list[DictionaryEntriesReply]
    """One for each pair of languages."""


def glossary_reply(info: GlossaryInfo | StoredGlossary) -> GlossaryReply:
    """A glossary of one direction, as version 2 describes it."""
    (dictionary,) = _infos(info.dictionaries)
    return GlossaryReply(
        glossary_id=info.id,
        name=info.name,
        ready=True,
        source_lang=dictionary.source,
        target_lang=dictionary.target,
        creation_time=_written(info.created),
        entry_count=dictionary.num_entries,
    )


def multilingual_reply(info: GlossaryInfo | StoredGlossary) -> MultilingualReply:
    """A glossary, as version 3 describes it."""
    return MultilingualReply(
        glossary_id=info.id,
        name=info.name,
        dictionaries=[dictionary_reply(each) for each in _infos(info.dictionaries)],
        creation_time=_written(info.created),
    )


def dictionary_reply(info: DictionaryInfo) -> DictionaryReply:
    """One direction of a glossary."""
    return DictionaryReply(
        source_lang=info.source, target_lang=info.target, entry_count=info.num_entries
    )


def entries_reply(dictionary: Dictionary) -> EntriesReply:
    """The terms of one direction."""
    found = DictionaryEntriesReply(
        source_lang=dictionary.source,
        target_lang=dictionary.target,
        entries=write_tsv(dictionary.entries),
        entries_format="tsv",
    )
    return EntriesReply(dictionaries=[found])


def _infos(dictionaries: Sequence[DictionaryInfo | Dictionary]) -> list[DictionaryInfo]:
    return [each.info if isinstance(each, Dictionary) else each for each in dictionaries]


def _written(created: datetime) -> str:
    """With microseconds even if they are 0: the official client insists on them."""
    return f"{created.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
