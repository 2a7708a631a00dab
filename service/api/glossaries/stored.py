"""Glossaries as values, and their form in a store."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Self
from uuid import uuid4

from pydantic import TypeAdapter

from bundle.languages import parse_language
from service.api.auth.glossary_record import GlossaryHead, GlossaryRecord

Term = tuple[str, str]
"""A term and its translation."""
Pair = tuple[str, str]
"""Source and target language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DictionaryInfo:
    """One direction of a glossary, without its terms."""

    source: str
    """Language code without a region, in lower case."""
    target: str
    num_entries: int

    @property
    def pair(self) -> Pair:
        """Source and target."""
        return self.source, self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """One direction of a glossary."""

    source: str
    """Language code without a region, in lower case."""
    target: str
    entries: tuple[Term, ...]

    @property
    def pair(self) -> Pair:
        """Source and target."""
        return self.source, self.target

    @property
    def info(self) -> DictionaryInfo:
        """It without its terms."""
        return DictionaryInfo(source=self.source, target=self.target, num_entries=len(self.entries))

    def merged(self, entries: Sequence[Term]) -> Self:
        """With further terms; they replace those of the same source."""
        return replace(self, entries=tuple((dict(self.entries) | dict(entries)).items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class GlossaryInfo:
    """A glossary without its terms."""

    id: str
    name: str
    created: datetime
    dictionaries: tuple[DictionaryInfo, ...]
    revision: str
    owner: str
    """Id of its key; empty: of all clients of the server."""

    def has(self, pair: Pair) -> bool:
        """Whether it has terms for a direction, however its languages are spelt."""
        wanted = meaning_of(pair)
        return any(meaning_of(each.pair) == wanted for each in self.dictionaries)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGlossary:
    """A glossary."""

    id: str
    name: str
    created: datetime
    dictionaries: tuple[Dictionary, ...]

    def dictionary(self, pair: Pair) -> Dictionary | None:
        """Its terms for a direction, however its languages are spelt."""
        wanted = meaning_of(pair)
        return next((each for each in self.dictionaries if meaning_of(each.pair) == wanted), None)

    def with_dictionary(self, dictionary: Dictionary) -> Self:
        """With other terms for a direction."""
        others = self.without(dictionary.pair).dictionaries
        return replace(self, dictionaries=(*others, dictionary))

    def without(self, pair: Pair) -> Self:
        """Without the terms for a direction."""
        removed = meaning_of(pair)
        others = [each for each in self.dictionaries if meaning_of(each.pair) != removed]
        return replace(self, dictionaries=tuple(others))

    def record(self) -> GlossaryRecord:
        """What a store keeps, under a new revision."""
        content = _DICTIONARIES.dump_json(self.dictionaries).decode()
        infos = tuple(each.info for each in self.dictionaries)
        description = _Description(created=self.created, dictionaries=infos)
        head = GlossaryHead(
            id=self.id,
            revision=uuid4().hex,
            name=self.name,
            size_bytes=len(content.encode()),
            description=_DESCRIPTION.dump_json(description).decode(),
        )
        return GlossaryRecord(head=head, content=content)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Description:
    created: datetime
    dictionaries: tuple[DictionaryInfo, ...]


_DESCRIPTION = TypeAdapter(_Description)
_DICTIONARIES = TypeAdapter(tuple[Dictionary, ...])


def base_of(code: str) -> str:
    """A language as it is spelt, without its region: a glossary is for all of them."""
    return code.lower().replace("_", "-").partition("-")[0]


@lru_cache(maxsize=4096)
def meaning_of(pair: Pair) -> Pair:
    """What two directions have in common if only the spelling differs: `eng` is `en`."""
    source, target = (parse_language(base_of(code)).language for code in pair)
    return source, target


def new_glossary(name: str, dictionaries: Sequence[Dictionary]) -> StoredGlossary:
    """A glossary of now."""
    return StoredGlossary(
        id=str(uuid4()), name=name, created=datetime.now(UTC), dictionaries=tuple(dictionaries)
    )


def info_of(head: GlossaryHead, owner: str) -> GlossaryInfo:
    """A glossary without its terms, from a store."""
    description = _DESCRIPTION.validate_json(head.description)
    return GlossaryInfo(
        id=head.id,
        name=head.name,
        created=description.created,
        dictionaries=description.dictionaries,
        revision=head.revision,
        owner=owner,
    )


def glossary_from(record: GlossaryRecord) -> StoredGlossary:
    """A glossary from a store."""
    return StoredGlossary(
        id=record.head.id,
        name=record.head.name,
        created=_DESCRIPTION.validate_json(record.head.description).created,
        dictionaries=_DICTIONARIES.validate_json(record.content),
    )
