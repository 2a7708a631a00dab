"""`pellucid glossary` as an operator uses it."""

import json
import os
from pathlib import Path

import pytest

from service.cli.main import main
from service.text.masking.glossary import GlossaryEntry
from service.translation.values import TranslateRequest
from tests.service.api.auth.redis_server import needs_redis, redis_server
from tests.service.api.fakes import UpperCaser, app_with, ask

Captured = pytest.CaptureFixture[str]
PAIR = ["--source", "en", "--target", "de"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the environment names."""
    path = tmp_path / "keys.db"
    for name in list(os.environ):
        if name.startswith("PELLUCID_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PELLUCID_KEY_STORE", str(path))
    return path


@pytest.fixture
def terms(tmp_path: Path) -> Path:
    path = tmp_path / "terms.tsv"
    path.write_text("\ufeffengine\tTriebwerk\nwing\tTragfläche\n", encoding="utf-8")
    return path


def _key(capsys: Captured) -> tuple[str, str]:
    """A new key and its id."""
    main(["keys", "add", "k"])
    printed = capsys.readouterr()
    return printed.out.strip(), printed.err.split()[1].strip(";")


def _listed(capsys: Captured, *arguments: str) -> list[dict[str, object]]:
    assert main(["glossary", "list", "--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_is_added_is_listed_and_removed(store: Path, terms: Path, capsys: Captured) -> None:
    assert main(["glossary", "add", str(terms), "--name", "n", *PAIR]) == 0
    printed = capsys.readouterr()
    assert printed.err == "2 terms from en to de are in n\n"
    (row,) = _listed(capsys)
    del row["created"]
    expected = {"id": printed.out.strip(), "name": "n", "key": None, "pairs": "en-de", "entries": 2}
    assert row == expected
    assert main(["glossary", "remove", "n"]) == 0
    assert _listed(capsys) == []
    assert main(["glossary", "remove", "n"]) == 1
    assert "there is no glossary n" in capsys.readouterr().err


def test_a_name_that_is_not_utf8_is_refused(store: Path, terms: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["glossary", "add", str(terms), "--name", os.fsdecode(b"caf\xe9"), *PAIR])
    assert ended.value.code == 2
    assert "'caf\\udce9' is not UTF-8" in capsys.readouterr().err
    assert not store.exists()


def test_a_name_that_is_there_gets_other_terms_or_another_pair(
    store: Path, terms: Path, capsys: Captured
) -> None:
    main(["glossary", "add", str(terms), "--name", "n", *PAIR])
    other = terms.with_suffix(".csv")
    other.write_text('"engine","moteur, m."\n', encoding="utf-8")
    main(["glossary", "add", str(other), "--name", "n", "--source", "en", "--target", "fr-CA"])
    main(["glossary", "add", str(other), "--name", "n", *PAIR])
    capsys.readouterr()
    (row,) = _listed(capsys)
    assert (row["pairs"], row["entries"]) == ("en-fr en-de", 2)


def test_a_glossary_may_be_of_one_key(store: Path, terms: Path, capsys: Captured) -> None:
    _, key_id = _key(capsys)
    _, other_id = _key(capsys)
    for key in ([], ["--key", key_id]):
        main(["glossary", "add", str(terms), "--name", "n", *PAIR, *key])
    capsys.readouterr()
    assert [row["key"] for row in _listed(capsys)] == [None, key_id]
    assert [row["key"] for row in _listed(capsys, "--key", key_id)] == [key_id]
    assert _listed(capsys, "--key", other_id) == []
    assert main(["glossary", "remove", "n", "--key", other_id]) == 1
    assert main(["glossary", "list", "--key", "0123"]) == 1
    assert "there is no key 0123" in capsys.readouterr().err


def test_a_server_on_the_store_knows_it(store: Path, terms: Path, capsys: Captured) -> None:
    key, _ = _key(capsys)
    main(["glossary", "add", str(terms), "--name", "n", *PAIR])
    translator = UpperCaser()
    app = app_with(translator, key_store=str(store))
    body = {"q": "x", "source": "en", "target": "de", "glossary": "n", "api_key": key}
    assert ask(app, "POST", "/translate", json=body).status_code == 200
    (request,) = translator.requests
    assert isinstance(request, TranslateRequest)
    assert request.glossary[0] == GlossaryEntry(source="engine", target="Triebwerk")
    headers = {"Authorization": f"DeepL-Auth-Key {key}"}
    listed = ask(app, "GET", "/v2/glossaries", headers=headers).json()["glossaries"]
    assert [each["name"] for each in listed] == ["n"]
    path = f"/v2/glossaries/{listed[0]['glossary_id']}"
    reply = ask(app, "DELETE", path, headers=headers)
    assert reply.status_code == 400
    assert "its operator changes it" in reply.json()["message"]


@needs_redis
def test_a_store_in_redis_is_the_same(
    store: Path,
    terms: Path,
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with redis_server(tmp_path) as address:
        monkeypatch.setenv("PELLUCID_KEY_STORE", address)
        _, key_id = _key(capsys)
        assert main(["glossary", "add", str(terms), "--name", "n", *PAIR, "--key", key_id]) == 0
        capsys.readouterr()
        assert [(row["key"], row["entries"]) for row in _listed(capsys)] == [(key_id, 2)]
        assert main(["glossary", "remove", "n", "--key", key_id]) == 0
        assert _listed(capsys) == []


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"engine", 1, "terms.tsv: entry 1 has 0 tabs"),
        (b"", 1, "a glossary has no entries"),
        (b"a\tb\xff", 2, "terms.tsv cannot be read"),
    ],
)
def test_a_file_that_is_no_glossary_is_one_line(
    content: bytes, code: int, message: str, store: Path, terms: Path, capsys: Captured
) -> None:
    terms.write_bytes(content)
    assert main(["glossary", "add", str(terms), "--name", "n", *PAIR]) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_without_a_store_it_says_how_to_name_one(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert main(["glossary", "list"]) == 2
    assert "does not exist" in capsys.readouterr().err
    monkeypatch.delenv("PELLUCID_KEY_STORE")
    assert main(["glossary", "list"]) == 2
    assert "--key-store FILE" in capsys.readouterr().err
