"""Glossaries of several clients in one store."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

import pytest

from service.api.auth.glossary_record import GlossaryRecord, GlossaryRoom, PutOutcome
from service.api.auth.memory_store import MemoryStore
from service.api.glossaries.glossaries import MAX_DICTIONARIES, SHARED, Glossaries, GlossaryLimits
from service.api.glossaries.stored import Dictionary, StoredGlossary, Term
from service.errors import InvalidRequestError, KeyStoreError, NotFoundError, OverloadedError
from tests.service.api.auth.failing_store import FailingStore

T = TypeVar("T")
PAIR = ("en", "de")


def terms(*entries: Term, pair: tuple[str, str] = PAIR) -> Dictionary:
    return Dictionary(source=pair[0], target=pair[1], entries=entries)


def run(work: Awaitable[T]) -> T:
    async def worked() -> T:
        return await work

    return asyncio.run(worked())


def create(glossaries: Glossaries, owner: str, name: str, *given: Dictionary) -> StoredGlossary:
    return run(glossaries.create(owner, name, given))


def test_a_key_sees_its_own_and_the_shared_ones() -> None:
    glossaries = Glossaries(MemoryStore())
    for owner, name in [("a", "first"), (SHARED, "all"), ("a", "second"), ("b", "other")]:
        create(glossaries, owner, name, terms(("x", "y")))
    assert [info.name for info in run(glossaries.all("a"))] == ["first", "second", "all"]
    assert [info.name for info in run(glossaries.all(SHARED))] == ["all"]


def test_a_name_means_the_newest_of_the_key_that_has_the_pair() -> None:
    glossaries = Glossaries(MemoryStore())
    other_pair = terms(("x", "other pair"), pair=("en", "fr"))
    for owner, given in [
        ("a", terms(("x", "old"))),
        ("a", terms(("x", "new"))),
        ("a", other_pair),
        (SHARED, terms(("x", "shared"))),
    ]:
        create(glossaries, owner, "n", given)

    def target(owner: str, pair: tuple[str, str]) -> list[str]:
        return [entry.target for entry in run(glossaries.named(owner, "n", pair))]

    assert target("a", ("en", "de")) == ["new"]
    assert target("a", ("en-GB", "fr-CA")) == ["other pair"]
    assert target("b", ("en", "de")) == ["shared"]
    with pytest.raises(InvalidRequestError, match="'n' has no terms from de to en"):
        target("a", ("de", "en"))
    with pytest.raises(InvalidRequestError, match="name it in source"):
        target("a", ("auto", "en"))


@pytest.mark.parametrize("pair", [("eng", "deu"), ("en_GB", "de_DE"), ("EN-us", "ger")])
def test_a_pair_is_found_however_its_languages_are_spelt(pair: tuple[str, str]) -> None:
    glossaries = Glossaries(MemoryStore())
    stored = create(glossaries, "a", "n", terms(("x", "y")))
    first = run(glossaries.named("a", "n", pair))
    assert run(glossaries.by_ids("a", [stored.id], PAIR)) is first
    spelt = terms(("x", "z"), pair=("eng", "deu"))
    changed = run(glossaries.change("a", stored.id, lambda g: g.with_dictionary(spelt)))
    assert changed.dictionaries == (spelt,)
    assert [entry.target for entry in run(glossaries.named("a", "n", PAIR))] == ["z"]


def test_an_id_is_a_name_as_well() -> None:
    glossaries = Glossaries(MemoryStore())
    wanted = create(glossaries, "a", "n", terms(("x", "old")))
    create(glossaries, "a", wanted.id, terms(("x", "new")))
    (entry,) = run(glossaries.named("a", wanted.id, PAIR))
    assert entry.target == "old"


def test_the_first_of_several_glossaries_counts_in_any_case() -> None:
    glossaries = Glossaries(MemoryStore())
    one = create(glossaries, "a", "one", terms(("Big  Bank", "first")))
    two = create(glossaries, "a", "two", terms(("big bank", "second"), ("z", "also")))
    found = run(glossaries.by_ids("a", [one.id, two.id], PAIR))
    assert [entry.target for entry in found] == ["first", "also"]
    found = run(glossaries.by_ids("a", [two.id, one.id], PAIR))
    assert [entry.target for entry in found] == ["second", "also"]


def test_terms_are_compiled_once_until_they_change() -> None:
    glossaries = Glossaries(MemoryStore())
    stored = create(glossaries, "a", "n", terms(("x", "old")))
    first = run(glossaries.by_ids("a", [stored.id], PAIR))
    assert run(glossaries.named("a", "n", PAIR)) is first
    run(glossaries.change("a", stored.id, lambda g: g.with_dictionary(terms(("x", "new")))))
    assert [entry.target for entry in run(glossaries.named("a", "n", PAIR))] == ["new"]
    run(glossaries.remove("a", stored.id))
    with pytest.raises(NotFoundError):
        run(glossaries.by_ids("a", [stored.id], PAIR))


def test_shared_glossaries_are_the_operators() -> None:
    glossaries = Glossaries(MemoryStore())
    shared = create(glossaries, SHARED, "n", terms(("x", "y")))
    with pytest.raises(InvalidRequestError, match="pellucid glossary"):
        run(glossaries.remove("a", shared.id))
    with pytest.raises(InvalidRequestError, match="pellucid glossary"):
        run(glossaries.change("a", shared.id, lambda g: g))
    run(glossaries.remove(SHARED, shared.id))


def test_changes_at_the_same_time_are_all_kept() -> None:
    glossaries = Glossaries(MemoryStore())
    stored = create(glossaries, "a", "n", terms(("x", "y")))

    async def change(number: int) -> None:
        added = terms(("x", "y"), pair=("en", f"a{chr(97 + number)}"))
        await glossaries.change("a", stored.id, lambda g: g.with_dictionary(added))

    async def change_all() -> None:
        await asyncio.gather(*(change(number) for number in range(3)))

    run(change_all())
    assert len(run(glossaries.info("a", stored.id)).dictionaries) == 4


class _Restless(MemoryStore):
    """A store in which another process is always faster."""

    async def put_glossary(
        self, owner: str, record: GlossaryRecord, room: GlossaryRoom, replaces: str | None
    ) -> PutOutcome:
        return (
            await super().put_glossary(owner, record, room, replaces) if not replaces else "changed"
        )


def test_a_glossary_that_others_change_all_the_time_is_given_up() -> None:
    glossaries = Glossaries(_Restless())
    stored = create(glossaries, "a", "n", terms(("x", "y")))
    with pytest.raises(OverloadedError, match="is being changed"):
        run(glossaries.change("a", stored.id, lambda g: replace(g, name="m")))


def test_limits_are_those_of_a_key() -> None:
    glossaries = Glossaries(MemoryStore(), GlossaryLimits(max_glossaries=1, max_bytes=300))
    create(glossaries, "a", "n", terms(("x", "y")))
    with pytest.raises(InvalidRequestError, match="may have 1 glossaries"):
        create(glossaries, "a", "n", terms(("x", "y")))
    with pytest.raises(InvalidRequestError, match="may have 300 bytes together"):
        create(
            glossaries, "b", "n", *(terms(("x", "y" * 199), pair=("en", c)) for c in ("de", "fr"))
        )
    create(glossaries, "b", "n", terms(("x", "y")))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (" ", [terms(("x", "y"))], "needs a name"),
        ("n" * 201, [terms(("x", "y"))], "needs a name"),
        ("n", [], "would have no terms"),
        ("n", [terms()], "has no entries"),
        ("n", [terms(("x.", "y"), ("x .", "z"))], "two targets"),
        ("n", [terms(("x", "y"))] * (MAX_DICTIONARIES + 1), "pairs of languages; the limit is 50"),
    ],
)
def test_what_is_no_glossary_is_refused(name: str, given: list[Dictionary], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        create(Glossaries(MemoryStore()), "a", name, *given)


def test_a_store_that_fails_is_an_error_of_the_store() -> None:
    with pytest.raises(KeyStoreError):
        run(Glossaries(FailingStore()).named("a", "n", PAIR))
