"""The glossaries of the clients: created, changed, and looked up for translation."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from service.api.auth.glossary_record import GlossaryRecord, GlossaryRoom
from service.api.auth.key_store import KeyStore, answer_within
from service.api.glossaries.stored import (
    Dictionary,
    GlossaryInfo,
    Pair,
    StoredGlossary,
    base_of,
    glossary_from,
    info_of,
    meaning_of,
    new_glossary,
)
from service.api.glossaries.terms_file import check_terms
from service.api.served_languages import AUTO
from service.errors import InvalidRequestError, NotFoundError, OverloadedError
from service.text.masking.glossary import CompiledEntries, GlossaryEntry, GlossaryError

SHARED = ""
"""Owner of the glossaries that every key may use; without keys, of all."""
MAX_NAME_CHARS = 200
MAX_DICTIONARIES = 50
"""Directions of one glossary."""
MAX_TOGETHER = 5
"""Glossaries of one request, as with DeepL."""
_MAX_COMPILED = 16
"""Compiled glossaries that are kept; one of 5,000 terms takes some megabytes."""
_MAX_ATTEMPTS = 5
"""To change a glossary that others change at the same time."""
_SHOWN_CHARS = 60

T = TypeVar("T")
Change = Callable[[StoredGlossary], StoredGlossary]


@dataclass(frozen=True, slots=True, kw_only=True)
class GlossaryLimits:
    """Limits of the glossaries of one key, and of the store."""

    max_glossaries: int = 100
    max_bytes: int = 4_194_304
    timeout_s: float = 1.0
    """For an answer of the store."""


class Glossaries:
    """The glossaries in a key store; for one event loop.

    A key sees its own glossaries and the shared ones, and may change its own.
    """

    def __init__(self, store: KeyStore, limits: GlossaryLimits | None = None) -> None:
        """Use a store, which is closed elsewhere."""
        self._store = store
        self._limits = limits or GlossaryLimits()
        self._room = GlossaryRoom(
            max_glossaries=self._limits.max_glossaries, max_bytes=self._limits.max_bytes
        )
        self._compiled: OrderedDict[tuple[str, ...], CompiledEntries] = OrderedDict()

    async def create(
        self, owner: str, name: str, dictionaries: Sequence[Dictionary]
    ) -> StoredGlossary:
        """Store a new glossary.

        Raises:
            InvalidRequestError: It has no name or no terms, or its owner has no room for it.
            KeyStoreError: The store does not answer.
        """
        glossary = new_glossary(name, dictionaries)
        await self._put(owner, glossary, replaces=None)
        return glossary

    async def all(self, owner: str) -> list[GlossaryInfo]:
        """Those of a key, oldest first, then the shared ones.

        Raises:
            KeyStoreError: The store does not answer.
        """
        found = []
        for each in _owners(owner):
            heads = await self._answer(self._store.glossary_heads(each))
            infos = [info_of(head, each) for head in heads]
            found += sorted(infos, key=lambda info: info.created)
        return found

    async def info(self, owner: str, glossary_id: str) -> GlossaryInfo:
        """A glossary without its terms.

        Raises:
            NotFoundError: The key has none of this id.
            KeyStoreError: The store does not answer.
        """
        found = [info for info in await self.all(owner) if info.id == glossary_id]
        if not found:
            raise _unknown(glossary_id)
        return found[0]

    async def get(self, owner: str, glossary_id: str) -> StoredGlossary:
        """A glossary.

        Raises:
            NotFoundError: The key has none of this id.
            KeyStoreError: The store does not answer.
        """
        for each in _owners(owner):
            record = await self._answer(self._store.glossary(each, glossary_id))
            if record is not None:
                return await asyncio.to_thread(glossary_from, record)
        raise _unknown(glossary_id)

    async def change(self, owner: str, glossary_id: str, change: Change) -> StoredGlossary:
        """Replace a glossary by what `change` makes of it, which may be called again.

        Raises:
            NotFoundError: The key has none of this id.
            InvalidRequestError: It is shared, or its owner has no room for it.
            OverloadedError: Others change it all the time.
            KeyStoreError: The store does not answer.
        """
        for _ in range(_MAX_ATTEMPTS):
            record = await self._answer(self._store.glossary(owner, glossary_id))
            if record is None:
                raise await self._not_own(owner, glossary_id)
            changed = await asyncio.to_thread(lambda r: change(glossary_from(r)), record)
            if await self._put(owner, changed, replaces=record.head.revision):
                return changed
        raise OverloadedError("Slowdown: the glossary is being changed", retry_after_s=1.0)

    async def remove(self, owner: str, glossary_id: str) -> None:
        """Remove a glossary.

        Raises:
            NotFoundError: The key has none of this id.
            InvalidRequestError: It is shared.
            KeyStoreError: The store does not answer.
        """
        if not await self._answer(self._store.remove_glossary(owner, glossary_id)):
            raise await self._not_own(owner, glossary_id)

    async def named(self, owner: str, name: str, pair: Pair) -> CompiledEntries:
        """The terms of a glossary by its name or id: the key's own before a shared one.

        Raises:
            InvalidRequestError: There is none, or it has no terms for this direction.
            KeyStoreError: The store does not answer.
        """
        if pair[0] == AUTO:
            raise InvalidRequestError(
                "Invalid request: a stored glossary is for one source language: name it in source"
            )
        infos = [info for info in await self.all(owner) if name in (info.id, info.name)]
        if not infos:
            raise InvalidRequestError(
                f"Invalid request: there is no glossary {name[:_SHOWN_CHARS]!r}: "
                "GET /v3/glossaries lists those of the key"
            )
        fitting = [info for info in infos if info.has(pair)]
        # Of several with this name, the newest of the key's own.
        fitting.sort(key=lambda info: (info.id == name, info.owner != SHARED, info.created))
        return await self._terms([fitting[-1] if fitting else infos[0]], pair)

    async def by_ids(self, owner: str, ids: Sequence[str], pair: Pair) -> CompiledEntries:
        """The terms of glossaries together; of one term, the first glossary counts.

        Raises:
            NotFoundError: The key has none of an id.
            InvalidRequestError: There are too many, or one has no terms for this direction.
            KeyStoreError: The store does not answer.
        """
        if len(ids) > MAX_TOGETHER:
            raise InvalidRequestError(
                f"Invalid request: {len(ids)} glossaries; the limit is {MAX_TOGETHER}: name fewer"
            )
        by_id = {info.id: info for info in reversed(await self.all(owner))}
        unknown = [each for each in ids if each not in by_id]
        if unknown:
            raise _unknown(unknown[0])
        return await self._terms([by_id[each] for each in ids], pair)

    async def _terms(self, infos: Sequence[GlossaryInfo], pair: Pair) -> CompiledEntries:
        for info in infos:
            if not info.has(pair):
                raise InvalidRequestError(
                    f"Invalid request: glossary {info.name[:_SHOWN_CHARS]!r} has no terms from "
                    f"{base_of(pair[0])} to {base_of(pair[1])}: add them, or name another"
                )
        key = (*meaning_of(pair), *(info.revision for info in infos))
        if key not in self._compiled:
            read = [await self._read(info, pair) for info in infos]
            self._compiled[key] = await asyncio.to_thread(_compiled, read)
            if len(self._compiled) > _MAX_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return self._compiled[key]

    async def _read(self, info: GlossaryInfo, pair: Pair) -> Dictionary:
        record = await self._answer(self._store.glossary(info.owner, info.id))
        if record is not None:
            glossary = await asyncio.to_thread(glossary_from, record)
            if (found := glossary.dictionary(pair)) is not None:
                return found
        raise _unknown(info.id)  # it was removed meanwhile

    async def _put(self, owner: str, glossary: StoredGlossary, replaces: str | None) -> bool:
        """Store a glossary; False if it is not any more what it replaces."""
        record = await asyncio.to_thread(_checked_record, glossary)
        asked = self._store.put_glossary(owner, record, self._room, replaces)
        match await self._answer(asked):
            case "too_many":
                raise InvalidRequestError(
                    f"Invalid request: a key may have {self._limits.max_glossaries} glossaries: "
                    "delete one"
                )
            case "too_large":
                raise InvalidRequestError(
                    "Invalid request: the glossaries of a key may have "
                    f"{self._limits.max_bytes} bytes together: delete some"
                )
            case outcome:
                return outcome == "stored"

    async def _not_own(self, owner: str, glossary_id: str) -> Exception:
        """Why a glossary cannot be changed."""
        shared = await self._answer(self._store.glossary(SHARED, glossary_id))
        if owner != SHARED and shared is not None:
            return InvalidRequestError(
                "Invalid request: the glossary is the server's: its operator changes it with "
                "`pellucid glossary`"
            )
        return _unknown(glossary_id)

    async def _answer(self, asked: Awaitable[T]) -> T:
        return await answer_within(self._limits.timeout_s, asked)


def _owners(owner: str) -> tuple[str, ...]:
    return (owner,) if owner == SHARED else (owner, SHARED)


def _compiled(dictionaries: Sequence[Dictionary]) -> CompiledEntries:
    """The terms of all, compiled; a term is taken from the first that has it, in any case."""
    entries: list[GlossaryEntry] = []
    known: set[str] = set()
    for dictionary in dictionaries:
        new = [term for term in dictionary.entries if _folded(term[0]) not in known]
        entries += [GlossaryEntry(source=source, target=target) for source, target in new]
        known.update(_folded(source) for source, _ in new)
    compiled = CompiledEntries(entries)
    try:
        _ = compiled.glossary
    except GlossaryError as error:
        raise InvalidRequestError(f"Invalid request: {error}") from None
    return compiled


def _folded(term: str) -> str:
    return " ".join(term.casefold().split())


def _checked_record(glossary: StoredGlossary) -> GlossaryRecord:
    _check(glossary)
    try:
        for dictionary in glossary.dictionaries:
            check_terms(dictionary.entries)
    except GlossaryError as error:
        raise InvalidRequestError(f"Invalid request: {error}") from None
    return glossary.record()


def _check(glossary: StoredGlossary) -> None:
    if not 0 < len(glossary.name.strip()) <= MAX_NAME_CHARS:
        raise InvalidRequestError(
            f"Invalid request: a glossary needs a name of at most {MAX_NAME_CHARS} characters"
        )
    if not glossary.dictionaries:
        raise InvalidRequestError("Invalid request: the glossary would have no terms: delete it")
    if len(glossary.dictionaries) > MAX_DICTIONARIES:
        raise InvalidRequestError(
            f"Invalid request: the glossary has {len(glossary.dictionaries)} pairs of languages; "
            f"the limit is {MAX_DICTIONARIES}: create another one"
        )


def _unknown(glossary_id: str) -> NotFoundError:
    return NotFoundError(f"there is no glossary {glossary_id[:_SHOWN_CHARS]!r} of this key")
