"""`/memory` and `/suggest`: clients write to their own part of the translation memory."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.api.auth.key import digest_of
from service.errors import StartupError
from service.translation.memory.tmx import write_tmx
from service.translation.memory.unit import Unit
from tests.service.api.fakes import UpperCaser, app_with, ask
from tests.service.api.memory_app import EN_DE, KEYS, TEXT, memory_app, remember, translated

OTHER = "A dog needs the tree."

Opened = Callable[..., FastAPI]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Opened]:
    with ExitStack() as stack:
        base = {"memory": path, "client_memory": True}
        yield lambda **given: stack.enter_context(memory_app(**{**base, **given}))


def tmx(*pairs: tuple[str, str]) -> bytes:
    units = [Unit(source=source, target=target) for source, target in pairs]
    return "".join(write_tmx(units, "en-US", "de-DE")).encode()


def sent(app: FastAPI, content: bytes, **fields: str) -> httpx.Response:
    file = {"file": ("team.tmx", content)}
    return ask(app, "POST", "/memory", data={**EN_DE, **fields}, files=file)


def exported(app: FastAPI, key: str = "") -> httpx.Response:
    return ask(app, "GET", "/memory/export", params={**EN_DE, "api_key": key})


def test_file_is_stored_used_listed_exported_and_removed(opened: Opened) -> None:
    app = opened()
    pairs = ((TEXT, "Ein Buch & eine Blume"), (OTHER, "Ein Hund"), ("", "leer"))
    reply = sent(app, tmx(*pairs))
    counts = {"new": 2, "replaced": 0, "other_languages": 0, "unusable": 1, "dropped": 0}
    assert (reply.status_code, reply.json()) == (200, counts)
    assert translated(app, f"{TEXT} {OTHER}")["translatedText"] == "Ein Buch & eine Blume Ein Hund"
    listed = ask(app, "GET", "/memory").json()
    assert listed == {"memories": [{**EN_DE, "sentences": 2}], "limit": 100_000}
    download = exported(app)
    assert download.headers["Content-Type"].startswith("application/x-tmx+xml")
    assert download.headers["Content-Disposition"] == 'attachment; filename="en-de.tmx"'
    assert sent(app, download.content).json() == {**counts, "new": 0, "unusable": 0}
    gone = ask(app, "DELETE", "/memory", params={**EN_DE, "q": f"  {OTHER} "})
    assert gone.json() == {"removed": 1}
    assert OTHER.encode() not in exported(app).content
    assert ask(app, "DELETE", "/memory", params=EN_DE).json() == {"removed": 1}
    assert ask(app, "GET", "/memory").json()["memories"] == []


def test_each_key_writes_and_reads_its_own(opened: Opened, path: Path) -> None:
    first, second = KEYS
    remember(path, (OTHER, "Nicht deins"), key=digest_of(second)[:12])
    remember(path, (OTHER, "Ohne Schlüssel"))
    app = opened(api_keys=",".join(KEYS))
    for status, key in ((400, ""), (403, "a-wrong-key-of-many-letters")):
        assert sent(app, tmx((TEXT, "x")), api_key=key).status_code == status
        assert exported(app, key).status_code == status
        assert ask(app, "DELETE", "/memory", params={**EN_DE, "api_key": key}).status_code == status
    assert sent(app, tmx((TEXT, "Meins")), api_key=first).json()["new"] == 1
    bearer = {"Authorization": f"Bearer {first}"}
    assert ask(app, "DELETE", "/memory", params={**EN_DE, "q": OTHER}, headers=bearer).json() == {
        "removed": 0
    }
    assert "Nicht deins" not in exported(app, first).text
    assert "Nicht deins" in exported(app, second).text
    assert translated(app, TEXT, api_key=first)["translatedText"] == "Meins"
    assert translated(app, TEXT, api_key=second)["translatedText"] != "Meins"


def test_suggestion_is_used_from_then_on(opened: Opened, tmp_path: Path) -> None:
    app = opened(suggestion_file=tmp_path / "suggestions.tsv")
    assert ask(app, "GET", "/frontend/settings").json()["suggestions"] is True
    body = {"q": TEXT, "s": " Besser so. ", "source": "en-GB", "target": "de_AT"}
    assert ask(app, "POST", "/suggest", data=body).json() == {"success": True}
    (sentence,) = translated(app, TEXT, details=True)["details"]
    assert (sentence["translation"], sentence["origin"]) == ("Besser so.", "memory")
    assert "Besser so." in (tmp_path / "suggestions.tsv").read_text(encoding="utf-8")
    faults = ({"target": "xx"}, {"source": "auto"}, {"q": "long " * 401}, {"s": " "})
    replies = [ask(app, "POST", "/suggest", json={**body, **fault}) for fault in faults]
    codes = [reply.json()["code"] for reply in replies]
    assert codes == ["unsupported_language"] * 2 + ["text_too_long"] * 2
    assert ask(app, "GET", "/memory").json()["memories"] == [{**EN_DE, "sentences": 1}]
    translated(app, [TEXT, OTHER])
    similar = TEXT.replace("the", "a")
    assert "suggestions" in translated(app, similar, details=True)["details"][0]
    page = ask(app, "GET", "/metrics").text
    assert 'pellucid_memory_hits_total{kind="exact"} 2.0' in page
    assert 'pellucid_memory_hits_total{kind="fuzzy"} 1.0' in page


def test_it_is_off_without_the_setting(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Vom Betreiber"))
    app = opened(client_memory=False)
    replies = [
        sent(app, tmx((TEXT, "x"))),
        exported(app),
        ask(app, "GET", "/memory"),
        ask(app, "DELETE", "/memory", params=EN_DE),
        ask(app, "POST", "/suggest", json={"q": TEXT, "s": "x", **EN_DE}),
    ]
    assert [reply.status_code for reply in replies] == [403] * 5
    assert {reply.json()["code"] for reply in replies[:4]} == {"memory_disabled"}
    assert translated(app, TEXT)["translatedText"] == "Vom Betreiber"
    with pytest.raises(StartupError, match="--client-memory"):
        app_with(UpperCaser(), client_memory=True)


def test_page_of_another_server_changes_nothing_where_no_key_is_needed(opened: Opened) -> None:
    app = opened(cors_origins="https://own.example")
    file = {"file": ("team.tmx", tmx((TEXT, "x")))}
    for origin, status in (
        ("https://elsewhere.example", 403),
        ("null", 403),
        ("http://test", 200),
        ("https://own.example", 200),
    ):
        headers = {"Origin": origin}
        reply = ask(app, "POST", "/memory", data=EN_DE, files=file, headers=headers)
        assert reply.status_code == status, origin
        body = {"q": TEXT, "s": "x", **EN_DE}
        assert ask(app, "POST", "/suggest", data=body, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tmx((TEXT, "x"))[:-20], "is no TMX"),
        (b"<html></html>", "is no TMX: its outermost element is <html>"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><tmx/>', "defines entities"),
        (tmx(), "has no sentences from en to de"),
        (tmx((TEXT, "x")).replace(b"de-DE", b"fr"), "has no sentences from en to de"),
    ],
)
def test_broken_file_is_refused_and_changes_nothing(
    opened: Opened, content: bytes, message: str
) -> None:
    app = opened()
    reply = sent(app, content)
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_file")
    assert message in reply.json()["error"]
    assert ask(app, "GET", "/memory").json()["memories"] == []


def test_size_count_and_time_are_bounded(opened: Opened, path: Path) -> None:
    many = tmx(*((f"Sentence {n}.", f"Satz {n}.") for n in range(400)))
    app = opened(max_file_bytes=len(many) - 1)
    assert sent(app, many).status_code == 413
    app = opened(max_memory_units=150)
    assert sent(app, many).json()["dropped"] == 250
    assert ask(app, "GET", "/memory").json()["memories"][0]["sentences"] == 150
    app = opened(max_memory_bytes=path.stat().st_size + 8_192)
    texts = tmx(*((f"{n} {'long ' * 300}", "x " * 900) for n in range(100)))
    assert (sent(app, texts).status_code, sent(app, texts).json()["code"]) == (503, "storage_full")
    assert "Sentence 399." in exported(app).text
    late = sent(opened(deadline_ms=1), many)
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")


def test_each_key_has_its_share_of_the_file(opened: Opened) -> None:
    first, second = KEYS
    app = opened(api_keys=",".join(KEYS), max_memory_bytes=1_000_000, max_memory_share=0.1)
    many = tmx(*((f"Sentence {n:03}.", f"Satz {n:03}.") for n in range(300)))
    reply = sent(app, many, api_key=first)
    assert (reply.status_code, reply.json()["code"]) == (413, "memory_share_used_up")
    assert "the limit is 100,000, 0.1 of what other keys leave: remove" in reply.json()["error"]
    bearer = {"Authorization": f"Bearer {first}"}
    ((stored),) = ask(app, "GET", "/memory", headers=bearer).json()["memories"]
    assert stored["sentences"] == 200  # as many steps as fit
    long = {"q": "long " * 50, "s": "x" * 1_999, "api_key": first, **EN_DE}
    codes = [ask(app, "POST", "/suggest", json={**long, "q": f"{n} long"}) for n in range(9)]
    assert {reply.status_code for reply in codes} == {200, 413}
    assert sent(app, tmx((TEXT, "x")), api_key=second).json()["new"] == 1
    assert ask(app, "DELETE", "/memory", params=EN_DE, headers=bearer).status_code == 200
    assert ask(app, "POST", "/suggest", json=long).status_code == 200
    without_keys = opened(max_memory_bytes=1_000_000, max_memory_share=0.1)
    assert sent(without_keys, many).json()["new"] == 300


def test_languages_that_are_served_no_longer_are_listed_and_removed(
    opened: Opened, path: Path
) -> None:
    remember(path, (TEXT, "Un libro"), target="it")
    app = opened()
    italian = {"source": "en", "target": "it"}
    assert ask(app, "GET", "/memory").json()["memories"] == [{**italian, "sentences": 1}]
    assert "Un libro" in ask(app, "GET", "/memory/export", params=italian).text
    assert ask(app, "DELETE", "/memory", params=italian).json() == {"removed": 1}
    assert ask(app, "GET", "/memory/export", params=italian).status_code == 400


def test_long_import_lets_others_through(opened: Opened) -> None:
    """Steps of several requests take turns: a suggestion does not wait for a whole file."""
    app = opened()
    many = tmx(*((f"Sentence number {n}.", f"Satz {n}.") for n in range(3_000)))

    async def both() -> list[str]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            ended: list[str] = []

            async def send(name: str, path: str, **body: object) -> None:
                reply = await client.post(path, timeout=60, **body)  # type: ignore[arg-type]
                assert reply.status_code == 200, reply.text
                ended.append(name)

            file = {"file": ("a.tmx", many)}
            importing = asyncio.create_task(send("file", "/memory", data=EN_DE, files=file))
            await asyncio.sleep(0)
            await send("suggestion", "/suggest", json={"q": TEXT, "s": "x", **EN_DE})
            await importing
            return ended

    assert asyncio.run(both()) == ["suggestion", "file"]
