"""`pellucid keys` as an operator uses it."""

import json
import os
from pathlib import Path

import pytest

from service.api.auth.key import digest_of
from service.cli.main import main
from tests.service.api.auth.redis_server import needs_redis, redis_server
from tests.service.api.fakes import UpperCaser, app_with, ask

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the environment names."""
    path = tmp_path / "keys.db"
    for name in list(os.environ):
        if name.startswith("PELLUCID_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PELLUCID_KEY_STORE", str(path))
    return path


def _added(capsys: Captured, *arguments: str) -> tuple[str, str]:
    """The new key and its id."""
    assert main(["keys", "add", *arguments]) == 0
    printed = capsys.readouterr()
    return printed.out.strip(), printed.err.split()[1].strip(";")


def test_key_is_printed_once_and_kept_as_a_digest(store: Path, capsys: Captured) -> None:
    secret, key_id = _added(capsys, "Team A")
    assert digest_of(secret).startswith(key_id)
    main(["keys", "list"])
    listed = capsys.readouterr().out
    assert key_id in listed
    assert secret not in listed
    kept = b"".join(path.read_bytes() for path in store.parent.glob("keys.db*"))
    assert digest_of(secret).encode() in kept
    assert secret.encode() not in kept


def test_list_says_what_a_key_allows(store: Path, capsys: Captured) -> None:
    limits = ["--monthly-chars", "5000", "--requests-per-minute", "60", "--weight", "0.5"]
    _added(capsys, "Team A", *limits, "--max-queued-jobs", "8", "--expires", "2030-01-31")
    _added(capsys, "b", "--expires", "0d")
    assert main(["keys", "list", "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    del first["id"], first["created"]
    assert first == {
        "name": "Team A",
        "state": "valid",
        "expires": "2030-02-01",
        "monthly_chars": 5000,
        "requests_per_minute": 60,
        "max_queued_jobs": 8,
        "weight": 0.5,
    }
    assert (second["state"], second["monthly_chars"]) == ("expired", None)


def test_list_is_a_table_for_people(store: Path, capsys: Captured) -> None:
    _added(capsys, "a\nname")
    _added(capsys, "another")
    main(["keys", "list"])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["id", "name", "state"]
    assert first.index("a name") == second.index("another") == head.index("name")


def test_revoked_key_stays_in_the_list(store: Path, capsys: Captured) -> None:
    _, key_id = _added(capsys, "a")
    assert main(["keys", "revoke", key_id]) == 0
    assert main(["keys", "revoke", key_id]) == 0  # as often as you like
    main(["keys", "list", "--json"])
    assert json.loads(capsys.readouterr().out)["state"] == "revoked"


def test_usage_is_of_a_month(store: Path, capsys: Captured) -> None:
    _, key_id = _added(capsys, "a", "--monthly-chars", "10")
    _added(capsys, "b")
    assert main(["keys", "usage", "--json", "--month", "2026-01"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["keys", "usage", key_id, "--json", "--month", "2026-01"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "id": key_id,
        "name": "a",
        "month": "2026-01",
        "chars": 0,
        "monthly_chars": 10,
    }


@pytest.mark.parametrize("verb", ["list", "usage", "revoke"])
def test_only_add_creates_a_file(verb: str, store: Path, capsys: Captured) -> None:
    assert main(["keys", verb, *(["0123"] if verb == "revoke" else [])]) == 2
    assert capsys.readouterr().err == (
        f"pellucid: --key-store: {store} does not exist: `pellucid keys add NAME` creates it\n"
    )
    assert list(store.parent.iterdir()) == []


@pytest.mark.parametrize("verb", ["list", "usage"])
def test_only_add_writes_to_an_empty_file(verb: str, store: Path, capsys: Captured) -> None:
    store.touch()
    assert main(["keys", verb]) == 2
    assert f"{store} is empty" in capsys.readouterr().err
    assert store.stat().st_size == 0


def test_a_directory_is_no_store(tmp_path: Path, capsys: Captured) -> None:
    assert main(["keys", "add", "a", "--key-store", str(tmp_path)]) == 2
    assert f"{tmp_path} is a directory" in capsys.readouterr().err


def test_generated_keys_are_let_in_by_a_server_without_a_store(
    store: Path, capsys: Captured
) -> None:
    assert main(["keys", "generate", "3"]) == 0
    assert main(["keys", "generate"]) == 0
    path = store.with_name("keys.txt")
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert not store.exists()
    keys = path.read_text(encoding="utf-8").split()
    assert len(set(keys)) == 4
    app = app_with(UpperCaser(), api_key_file=path)
    for key in keys:
        headers = {"Authorization": f"Bearer {key}"}
        assert ask(app, "GET", "/v2/usage", headers=headers).status_code == 200


@pytest.mark.parametrize("verb", ["revoke", "usage"])
def test_unknown_key_is_one_line(verb: str, store: Path, capsys: Captured) -> None:
    _added(capsys, "a")
    assert main(["keys", verb, "0123"]) == 1
    assert capsys.readouterr().err == (
        "pellucid: there is no key 0123: `pellucid keys list` has their ids\n"
    )


def test_without_a_store_it_says_how_to_name_one(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.delenv("PELLUCID_KEY_STORE")
    assert main(["keys", "list"]) == 2
    assert "--key-store FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--expires", "soon"],
        ["--expires", "2026-02-30"],
        ["--expires", "9999-12-31"],
        ["--monthly-chars", "0"],
        ["--requests-per-minute", "many"],
        ["--weight", "nan"],
        ["--weight", "0"],
    ],
)
def test_wrong_limits_make_no_key(wrong: list[str], store: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "add", "a", *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
    assert not store.exists()


def test_a_name_that_is_not_utf8_is_refused(store: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "add", os.fsdecode("Müller".encode("latin-1"))])
    assert ended.value.code == 2
    assert "'M\\udcfcller' is not UTF-8" in capsys.readouterr().err
    assert not store.exists()


@needs_redis
def test_redis_keeps_keys_as_a_file_does(tmp_path: Path, store: Path, capsys: Captured) -> None:
    with redis_server(tmp_path) as address:
        _, key_id = _added(capsys, "a", "--key-store", address)
        assert main(["keys", "revoke", key_id, "--key-store", address]) == 0
        main(["keys", "list", "--json", "--key-store", address])
        assert json.loads(capsys.readouterr().out)["state"] == "revoked"
    assert not store.exists()
