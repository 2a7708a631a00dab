"""The translation memory, as clients of the service see it."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from pellucid import Client
from service.api.auth.key import digest_of
from service.api.replies.translation import TranslateReply
from service.errors import StartupError
from service.translation.values import Suggestion
from tests.service.api.fakes import ask
from tests.service.api.memory_app import EN_DE, KEYS, TEXT, memory_app, remember, translated
from tests.service.server_process import run_command, serving
from tests.service.tiny_models import renamed_copy
from tests.service.translation.memory.locked_file import unreadable

OTHER = "A dog needs the tree."

Opened = Callable[..., FastAPI]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Opened]:
    """Opens the app; with the memory unless told otherwise."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(memory_app(**{"memory": path, **given}))


def test_equal_sentence_is_used_and_marked(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Das Buch braucht 2 Blumen."))
    reply = translated(opened(), f"{TEXT}  {OTHER}", details=True)
    first, second = reply["details"]
    assert reply["translatedText"] == f"Das Buch braucht 2 Blumen.  {second['translation']}"
    assert first["origin"] == "memory"
    assert (first["score"], first["confidence"], first["finish_reason"]) == (0.0, 1.0, "stop")
    assert first["target_tokens"] == []
    assert [word["text"] for word in first["words"]] == ["Das", "Buch", "braucht", "2", "Blumen"]
    assert [check["name"] for check in first["checks"]] == ["number"]
    assert "suggestions" not in first
    assert second["target_tokens"]
    assert "origin" not in second


def test_similar_sentence_is_offered_and_not_used(opened: Opened, path: Path) -> None:
    app = opened()
    before = translated(app, TEXT, details=True)
    similar = TEXT.replace("the", "a")
    remember(path, (similar, "Eine Blume"))
    after = translated(app, TEXT, details=True)
    assert TranslateReply.model_validate(after).model_dump(exclude_none=True, mode="json") == after
    suggestions = after["details"][0].pop("suggestions")
    assert after == before
    (suggestion,) = suggestions
    assert suggestion == {
        "source": similar,
        "translation": "Eine Blume",
        "score": pytest.approx(1 - 3 / len(TEXT), abs=1e-4),
        "origin": "memory",
    }
    assert translated(app, TEXT) == {"translatedText": before["translatedText"]}


def test_without_a_memory_nothing_changes(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Aus dem Gedächtnis"))
    texts = [TEXT, f"{OTHER} {TEXT}", "<b>A flower</b> needs 3 books."]
    asked = {"format": "html", "details": True, "alternatives": 2, "alignment": True}
    off = opened(memory=None)
    empty = opened(memory=path.with_name("empty.db"))
    assert translated(off, texts, **asked) == translated(empty, texts, **asked)


@pytest.mark.parametrize("count", [1, 7, 40])
def test_neighbours_decide_nothing(opened: Opened, path: Path, count: int) -> None:
    remember(path, (TEXT, "Aus dem Gedächtnis"))
    app = opened()
    alone = [translated(app, text)["translatedText"] for text in (TEXT, OTHER)]
    texts = [TEXT, OTHER] * count
    assert translated(app, texts)["translatedText"] == alone * count


def test_load_decides_nothing(opened: Opened, path: Path) -> None:
    """Many requests at once, some with sentences that are looked for at length."""
    remember(path, (TEXT, "Aus dem Gedächtnis"), *((f"{OTHER} {n}", "x") for n in range(300)))
    app = opened(memory_timeout_s=0.5, max_queued_jobs=10_000)
    alone = [translated(app, text)["translatedText"] for text in (TEXT, OTHER)]

    async def at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            bodies = [{"q": [TEXT, OTHER], **EN_DE, "details": n % 2 == 0} for n in range(60)]
            sent = (client.post("/translate", json=body, timeout=60) for body in bodies)
            return list(await asyncio.gather(*sent))

    replies = asyncio.run(at_once())
    assert [reply.json()["translatedText"] for reply in replies] == [alone] * 60


def test_every_dialect_uses_it(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Aus dem Gedächtnis"))
    app = opened()
    body = {"text": [TEXT], "source_lang": "EN", "target_lang": "DE"}
    (theirs,) = ask(app, "POST", "/v2/translate", json=body).json()["translations"]
    assert theirs["text"] == "Aus dem Gedächtnis"
    events = ask(app, "POST", "/translate", json={"q": TEXT, "stream": True, **EN_DE}).text
    part = json.loads(events.split("data: ")[1].splitlines()[0])
    assert part["text"] == "Aus dem Gedächtnis"


def test_file_uses_it(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Aus dem Gedächtnis"))
    app = opened()

    async def send() -> str:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await app.state.parts.files.start()
            try:
                reply = await client.post(
                    "/translate_file", data=EN_DE, files={"file": ("a.txt", TEXT.encode())}
                )
                address = reply.json()["translatedFileUrl"]
                return (await client.get(address)).text
            finally:
                await app.state.parts.files.close()

    assert asyncio.run(send()) == "Aus dem Gedächtnis"


def test_each_key_has_its_own(opened: Opened, path: Path) -> None:
    first, second = (digest_of(key)[:12] for key in KEYS)
    remember(path, (TEXT, "Erster"), key=first)
    remember(path, (TEXT, "Zweiter"), key=second)
    remember(path, (OTHER, "Ohne Schlüssel"))
    app = opened(api_keys=",".join(KEYS))
    texts = [translated(app, TEXT, api_key=key)["translatedText"] for key in KEYS]
    assert texts == ["Erster", "Zweiter"]
    assert translated(app, OTHER, api_key=KEYS[0])["translatedText"] != "Ohne Schlüssel"


def test_tags_follow_the_words_of_a_remembered_translation(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Das Buch braucht eine Blume."))
    tagged = TEXT.replace("flower", '<b class="x">flower</b>').replace("book", "<i>book</i>")
    reply = translated(opened(), tagged, format="html", details=True)
    assert reply["details"][0]["origin"] == "memory"
    text = reply["translatedText"]
    bare = text
    for tag in ('<b class="x">', "</b>", "<i>", "</i>"):
        assert bare.count(tag) == 1
        bare = bare.replace(tag, "")
    assert bare == "Das Buch braucht eine Blume."


def test_words_of_a_remembered_translation_are_linked(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Das Buch braucht eine Blume."))
    (sentence,) = translated(opened(), TEXT, alignment=True, details=True)["details"]
    for link in sentence["alignment"]:
        assert sentence["source"][slice(*link["source"])].strip()
        assert sentence["translation"][slice(*link["target"])].strip()
    assert len(sentence["alignment"]) > 1


def test_translation_beyond_the_models_limit_is_linked_whole(opened: Opened, path: Path) -> None:
    long = "Blume " * 150 + "!"
    remember(path, (TEXT, long))
    reply = translated(opened(), f"<p><b>{TEXT}</b></p>", format="html", alignment=True)
    assert reply["translatedText"] == f"<p><b>{long}</b></p>"


def test_lost_placeholder_is_said(opened: Opened, path: Path) -> None:
    remember(
        path,
        ("The flower needs {name}.", "Die Blume braucht {name}."),
        ("The dog needs {name}.", "Der Hund braucht ihn."),
    )
    app = opened()
    (kept,) = translated(app, "The flower needs {name}.", details=True)["details"]
    (lost,) = translated(app, "The dog needs {name}.", details=True)["details"]
    assert (kept["origin"], kept["placeholders_ok"]) == ("memory", True)
    assert (lost["origin"], lost["placeholders_ok"]) == ("memory", False)


def test_glossary_of_a_request_wins(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Eine Blume braucht das Buch."))
    app = opened()
    agrees = [{"source": "flower", "target": "blume"}]
    contradicts = [{"source": "flower", "target": "Blüte"}]
    (used,) = translated(app, TEXT, details=True, glossary=agrees)["details"]
    (offered,) = translated(app, TEXT, details=True, glossary=contradicts)["details"]
    assert used["origin"] == "memory"
    assert "Blüte" in offered["translation"]
    assert offered["suggestions"][0]["score"] == 1.0
    assert offered["suggestions"][0]["translation"] == "Eine Blume braucht das Buch."


def test_prefix_and_attention_are_the_models(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Aus dem Gedächtnis"))
    app = opened()
    (seen,) = translated(app, TEXT, details=True, attention=True)["details"]
    assert "origin" not in seen
    assert seen["attention"]
    reply = translated(app, TEXT, prefix="Das", details=True)
    assert "origin" not in reply["details"][0]


def test_search_and_ablation_are_the_models(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Aus dem Gedächtnis"))
    app = opened()
    (seen,) = translated(app, TEXT, search=True)["details"]
    assert "origin" not in seen
    assert seen["search"]["steps"]
    reply = translated(app, TEXT, without_heads=[["cross", 0, 1]], details=True)
    assert "origin" not in reply["details"][0]


def test_by_way_of_a_third_language(opened: Opened, tmp_path: Path, path: Path) -> None:
    for source, target in (("en", "de"), ("de", "it")):
        renamed_copy(tmp_path / "bundles" / f"{source}-{target}", source, target)
    remember(path, (TEXT, "Un fiore"), target="it")
    app = opened(bundles=(tmp_path / "bundles",))
    asked = {"format": "html", "details": True, "target": "it"}
    reply = translated(app, f"{TEXT.replace('flower', '<b>flower</b>')} {OTHER}", **asked)
    first, second = reply["details"]
    assert (first["translation"], first["origin"]) == ("Un fiore", "memory")
    assert len(second["route"]) == 2
    assert reply["translatedText"].count("<b>") == reply["translatedText"].count("</b>") == 1


def test_locked_file_answers_in_time(opened: Opened, path: Path) -> None:
    remember(path, (TEXT, "Aus dem Gedächtnis"))
    app = opened(memory_timeout_s=0.2)
    with unreadable(path):
        (sentence,) = translated(app, TEXT, details=True, timeout_ms=20_000)["details"]
        assert "origin" not in sentence
        assert sentence["target_tokens"]


def test_unusable_file_ends_the_start(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="--memory"):
        opened(memory=tmp_path / "missing" / "memory.db")


@contextmanager
def server(folder: Path, path: Path) -> Iterator[str]:
    folder.mkdir(exist_ok=True)
    with serving(folder, "--memory", str(path)) as process:
        yield f"{process.url}/translate"


def asked_of(url: str) -> str:
    return str(httpx.post(url, json={"q": TEXT, **EN_DE}, timeout=60).json()["translatedText"])


def test_served_memory_outlives_a_restart_and_sees_imports(tmp_path: Path, path: Path) -> None:
    tmx = tmp_path / "a.tmx"

    def imported(target: str) -> None:
        tmx.write_text(
            f'<tmx version="1.4"><body><tu><tuv xml:lang="en"><seg>{TEXT}</seg></tuv>'
            f'<tuv xml:lang="de"><seg>{target}</seg></tuv></tu></body></tmx>'
        )
        flags = ["--source", "en", "--target", "de", "--memory", str(path)]
        done = run_command("memory", "import", str(tmx), *flags)
        assert done.returncode == 0, done.stderr

    with server(tmp_path, path) as url:
        by_model = asked_of(url)
        imported("Erster")
        assert asked_of(url) == "Erster" != by_model
        with Client(url.removesuffix("/translate"), "en", "de") as client:
            texts = [TEXT, TEXT.replace("the", "a")]
            (equal, similar) = client.translate(texts, details=True)
        assert equal.sentences[0].origin == "memory"
        score = round(1 - 3 / len(TEXT), 4)
        assert similar.sentences[0].suggestions == (
            Suggestion(source=TEXT, translation="Erster", score=score),
        )
    with server(tmp_path / "1", path) as first, server(tmp_path / "2", path) as second:
        assert [asked_of(first), asked_of(second)] == ["Erster"] * 2
        imported("Zweiter")
        assert [asked_of(first), asked_of(second)] == ["Zweiter"] * 2
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
