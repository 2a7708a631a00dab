"""What all stores do alike with glossaries."""

import asyncio

from service.api.auth.glossary_record import GlossaryHead, GlossaryRecord, GlossaryRoom
from service.api.auth.key_store import KeyStore
from tests.service.api.auth.stores import Open, with_store

ROOM = GlossaryRoom(max_glossaries=3, max_bytes=20)


def record(own_id: str, content: str = "x", revision: str = "1") -> GlossaryRecord:
    size = len(content.encode())
    head = GlossaryHead(
        id=own_id, revision=revision, name="Ω n", size_bytes=size, description='{"é": 1}'
    )
    return GlossaryRecord(head=head, content=content)


def test_a_glossary_comes_back_as_it_was_put_to_its_owner_alone(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        stored = record("i", "ünïcode")
        assert await store.put_glossary("a", stored, ROOM, None) == "stored"
        assert await store.glossary("a", "i") == stored
        assert await store.glossary_heads("a") == [stored.head]
        for owner, own_id in (("b", "i"), ("", "i"), ("a", "j")):
            assert await store.glossary(owner, own_id) is None
            assert await store.glossary_heads("b") == []
            assert not await store.remove_glossary(owner, own_id)
        assert await store.remove_glossary("a", "i")
        assert not await store.remove_glossary("a", "i")
        assert (await store.glossary("a", "i"), await store.glossary_heads("a")) == (None, [])

    with_store(opening, work)


def test_a_glossary_replaces_only_the_revision_that_it_is_made_from(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        assert await store.put_glossary("a", record("i"), ROOM, "1") == "changed"
        assert await store.put_glossary("a", record("i"), ROOM, None) == "stored"
        assert await store.put_glossary("a", record("i"), ROOM, None) == "changed"
        assert await store.put_glossary("a", record("i", "y", "2"), ROOM, "1") == "stored"
        assert await store.put_glossary("a", record("i", "z", "3"), ROOM, "1") == "changed"
        assert await store.glossary("a", "i") == record("i", "y", "2")
        await store.remove_glossary("a", "i")
        assert await store.put_glossary("a", record("i"), ROOM, "2") == "changed"

    with_store(opening, work)


def test_glossaries_of_an_owner_are_bounded_in_number_and_bytes(opening: Open) -> None:
    async def work(store: KeyStore) -> None:
        assert await store.put_glossary("a", record("i", "x" * 21), ROOM, None) == "too_large"
        assert await store.put_glossary("a", record("i", "x" * 15), ROOM, None) == "stored"
        assert await store.put_glossary("a", record("j", "ü" * 3), ROOM, None) == "too_large"
        assert await store.put_glossary("a", record("i", "x" * 18, "2"), ROOM, "1") == "stored"
        for own_id in "jk":
            assert await store.put_glossary("a", record(own_id), ROOM, None) == "stored"
        assert await store.put_glossary("a", record("l"), ROOM, None) == "too_many"
        assert await store.put_glossary("b", record("l"), ROOM, None) == "stored"
        await store.remove_glossary("a", "i")
        assert await store.put_glossary("a", record("l"), ROOM, None) == "stored"

    with_store(opening, work)


def test_two_replicas_never_store_more_glossaries_than_the_limit(lasting: Open) -> None:
    async def work(first: KeyStore) -> int:
        second = lasting()
        try:
            both = [first, second] * 10
            asked = [s.put_glossary("a", record(str(n)), ROOM, None) for n, s in enumerate(both)]
            assert sorted(await asyncio.gather(*asked)) == ["stored"] * 3 + ["too_many"] * 17
            return len(await second.glossary_heads("a"))
        finally:
            await second.close()

    assert with_store(lasting, work) == 3


def test_glossaries_outlast_the_process(lasting: Open) -> None:
    with_store(lasting, lambda store: store.put_glossary("a", record("i"), ROOM, None))
    assert with_store(lasting, lambda store: store.glossary("a", "i")) == record("i")
