"""DeepL's official client, with documents and with glossaries, against a real server."""

import io
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import deepl
import httpx
import pytest
from deepl.api_data import MultilingualGlossaryDictionaryEntries, MultilingualGlossaryInfo

from tests.service.command_line import run_here
from tests.service.server_process import ServerProcess, serving
from tests.service.tiny_models import tiny_bundle

PAIR = tiny_bundle().manifest.pairs[0]
TEXT = tiny_bundle().manifest.canary.source_text
WORD = max(TEXT.rstrip(".").split(), key=len)
SOURCE = PAIR.source.upper()
BASE_TARGET = PAIR.target.upper()
TARGET = {"en": "EN-GB", "pt": "PT-PT"}.get(PAIR.target, BASE_TARGET)
ENTRIES = {WORD: "Wanted Term", "artist": "Maestro"}
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def _the_client_asks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sleeps for five seconds before it asks again how far a document is."""
    often = SimpleNamespace(time=time.time, sleep=lambda wanted_s: time.sleep(min(wanted_s, 0.05)))
    monkeypatch.setattr("deepl.translator.time", often)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("store") / "keys.db")


def new_key(store: str, *limits: str) -> str:
    return run_here("keys", "add", "k", *limits, PELLUCID_KEY_STORE=store).stdout.strip()


@contextmanager
def served(folder: Path, store: str, **settings: str) -> Iterator[ServerProcess]:
    """A server on a key store and a folder of files."""
    folder.mkdir(exist_ok=True)
    given = {"PELLUCID_KEY_STORE": store, "PELLUCID_FILE_FOLDER": str(folder / "files"), **settings}
    with serving(folder, "--workers", "1", "--slots-per-worker", "8", **given) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, store: str) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    limits = {"PELLUCID_MAX_GLOSSARIES": "4", "PELLUCID_MAX_GLOSSARY_BYTES": "20000"}
    with served(folder, store, PELLUCID_MAX_FILE_BYTES="100000", **limits) as running:
        yield running


@contextmanager
def client_of(server: ServerProcess, key: str, path: str = "") -> Iterator[deepl.DeepLClient]:
    with closing(deepl.DeepLClient(key, server_url=server.url + path)) as opened:
        yield opened


@pytest.fixture(params=["", "/deepl"])
def client(
    server: ServerProcess, store: str, request: pytest.FixtureRequest
) -> Iterator[deepl.DeepLClient]:
    """With a key of its own, so that it sees no other test's glossaries."""
    with client_of(server, new_key(store), request.param) as opened:
        yield opened


def translated(
    client: deepl.DeepLClient, glossary: str | deepl.GlossaryInfo | MultilingualGlossaryInfo
) -> str:
    result = client.translate_text(
        TEXT,
        source_lang=SOURCE,
        target_lang=TARGET,
        glossary=glossary,
    )
    assert isinstance(result, deepl.TextResult)
    return result.text


def test_a_file_is_translated(client: deepl.DeepLClient, tmp_path: Path) -> None:
    given, gotten = tmp_path / "a.txt", tmp_path / "b.txt"
    given.write_text(f"{TEXT}\n\n{TEXT}\n", encoding="utf-8")
    status = client.translate_document_from_filepath(
        given, gotten, source_lang=SOURCE, target_lang=TARGET
    )
    assert (status.done, status.billed_characters) == (True, given.stat().st_size)
    alone = client.translate_text(TEXT, source_lang=SOURCE, target_lang=TARGET)
    assert isinstance(alone, deepl.TextResult)
    assert gotten.read_text(encoding="utf-8") == f"{alone.text}\n\n{alone.text}\n"


def test_a_stream_is_translated_and_its_language_found(client: deepl.DeepLClient) -> None:
    gotten = io.BytesIO()
    client.translate_document(
        f"<p>{TEXT}</p>".encode(), gotten, target_lang=TARGET, filename="a.html"
    )
    assert gotten.getvalue().startswith(b"<p>")


def test_a_document_has_the_terms_of_its_glossary(client: deepl.DeepLClient) -> None:
    glossary = client.create_glossary("g", SOURCE, BASE_TARGET, ENTRIES)
    gotten = io.BytesIO()
    client.translate_document(
        TEXT.encode(), gotten, source_lang=SOURCE, target_lang=TARGET, filename="a.txt",
        glossary=glossary,
    )  # fmt: skip
    assert "Wanted Term" in gotten.getvalue().decode()
    gotten = io.BytesIO()
    client.translate_document(
        TEXT.encode(), gotten, source_lang=SOURCE, target_lang=TARGET, filename="a.txt",
        glossary_ids=[glossary],
    )  # fmt: skip
    assert "Wanted Term" in gotten.getvalue().decode()


def test_usage_counts_documents(client: deepl.DeepLClient) -> None:
    client.translate_document(
        TEXT.encode(), io.BytesIO(), source_lang=SOURCE, target_lang=TARGET, filename="a.txt"
    )
    assert client.get_usage().character.count == len(TEXT)


def test_a_document_that_cannot_be_read_is_refused(client: deepl.DeepLClient) -> None:
    def sent(data: bytes, name: str, **options: str) -> None:
        given = {"source_lang": SOURCE, "target_lang": TARGET, "filename": name, **options}
        client.translate_document_upload(data, **given)  # type: ignore[arg-type]

    with pytest.raises(deepl.DeepLException, match="file format not supported"):
        sent(b"x", "a.exe")
    with pytest.raises(deepl.DeepLException, match="output_format 'pdf' is not the document's"):
        sent(b"x", "a.txt", output_format="pdf")
    with pytest.raises(deepl.DeepLException, match="the limit is 100000"):
        sent(b"x" * 100_001, "a.txt")
    with pytest.raises(deepl.DeepLException, match="zz is not supported"):
        sent(b"x", "a.txt", target_lang="ZZ")
    with pytest.raises(deepl.DeepLException, match="formality"):
        sent(b"x", "a.txt", formality="more")
    with pytest.raises(deepl.DeepLException, match="there is no glossary"):
        sent(b"x", "a.txt", glossary=UNKNOWN)


def test_a_document_over_the_quota_is_refused(server: ServerProcess, store: str) -> None:
    with (
        client_of(server, new_key(store, "--monthly-chars", "10")) as client,
        pytest.raises(deepl.QuotaExceededException, match="characters left this month"),
    ):
        client.translate_document_upload(
            b"x" * 11, source_lang=SOURCE, target_lang=TARGET, filename="a.txt"
        )


def test_a_document_is_its_uploaders(server: ServerProcess, store: str) -> None:
    with client_of(server, new_key(store)) as owner, client_of(server, new_key(store)) as other:
        handle = owner.translate_document_upload(
            TEXT.encode(), source_lang=SOURCE, target_lang=TARGET, filename="a.txt"
        )
        wrong = deepl.DocumentHandle(handle.document_id, handle.document_key[::-1])
        unknown = deepl.DocumentHandle("0" * 32, handle.document_key)
        for client, asked in [(owner, wrong), (other, handle), (owner, unknown)]:
            with pytest.raises(deepl.DeepLException, match="Not found"):
                client.translate_document_get_status(asked)
            with pytest.raises(deepl.DeepLException, match="Not found"):
                client.translate_document_download(asked)
        owner.translate_document_wait_until_done(handle)
        assert owner.translate_document_get_status(handle).status.value == "done"


def test_a_document_that_is_not_ready_says_so(server: ServerProcess, store: str) -> None:
    key = new_key(store)
    authorised = {"Authorization": f"DeepL-Auth-Key {key}"}
    with client_of(server, key) as client:
        long = "\n\n".join(f"{number} {TEXT}" for number in range(1500))
        handle = client.translate_document_upload(
            long.encode(), source_lang=SOURCE, target_lang=TARGET, filename="a.txt"
        )
        status = client.translate_document_get_status(handle)
        assert status.status.value in ("queued", "translating")
        reply = httpx.post(  # the client would ask again, and again
            f"{server.url}/v2/document/{handle.document_id}/result",
            headers=authorised,
            json={"document_key": handle.document_key},
        )
        assert (reply.status_code, set(reply.json())) == (503, {"message"})
        httpx.delete(f"{server.url}/jobs/{handle.document_id}")
        status = client.translate_document_get_status(handle)
        assert not status.ok
        assert str(status.error_message) == "the job was cancelled"
        with pytest.raises(deepl.DeepLException, match="Not found"):
            client.translate_document_download(handle)


def test_glossary_pairs_are_those_that_are_served(client: deepl.DeepLClient) -> None:
    pairs = [(pair.source_lang, pair.target_lang) for pair in client.get_glossary_languages()]
    assert (PAIR.source, PAIR.target) in [(s.lower(), t.lower()) for s, t in pairs]


def test_a_glossary_is_created_used_listed_and_deleted(client: deepl.DeepLClient) -> None:
    created = client.create_glossary("Terms", SOURCE, BASE_TARGET, ENTRIES)
    assert (created.name, created.ready, created.entry_count) == ("Terms", True, 2)
    assert (created.source_lang, created.target_lang) == (SOURCE, BASE_TARGET)
    assert client.get_glossary_entries(created) == ENTRIES
    found = client.get_glossary(created.glossary_id)
    assert (found.name, found.creation_time) == ("Terms", created.creation_time)
    assert [each.glossary_id for each in client.list_glossaries()] == [created.glossary_id]
    assert "Wanted Term" in translated(client, created)
    assert "Wanted Term" in translated(client, created.glossary_id)
    client.delete_glossary(created)
    assert client.list_glossaries() == []
    with pytest.raises(deepl.GlossaryNotFoundException):
        client.get_glossary(created.glossary_id)
    with pytest.raises(deepl.DeepLException, match="there is no glossary"):
        translated(client, created.glossary_id)


def test_a_glossary_comes_from_csv(client: deepl.DeepLClient) -> None:
    data = f'{WORD},"Wanted, Term",{PAIR.source},{PAIR.target}\nartist,"He said ""Maestro"""\n'
    created = client.create_glossary_from_csv("Terms", SOURCE, BASE_TARGET, data)
    expected = {WORD: "Wanted, Term", "artist": 'He said "Maestro"'}
    assert client.get_glossary_entries(created) == expected


def test_a_text_is_translated_with_several_glossaries(client: deepl.DeepLClient) -> None:
    first = client.create_glossary("a", SOURCE, BASE_TARGET, {WORD: "First Term"})
    second = client.create_glossary("b", SOURCE, BASE_TARGET, {WORD.upper(): "Second Term"})
    result = client.translate_text(
        TEXT, source_lang=SOURCE, target_lang=TARGET, glossary_ids=[first, second]
    )
    assert isinstance(result, deepl.TextResult)
    assert ("First Term" in result.text, "Second Term" in result.text) == (True, False)


def test_a_multilingual_glossary_is_created_changed_used_and_deleted(
    client: deepl.DeepLClient,
) -> None:
    def entries(
        given: dict[str, str], reverse: bool = False
    ) -> MultilingualGlossaryDictionaryEntries:
        pair = (BASE_TARGET, SOURCE) if reverse else (SOURCE, BASE_TARGET)
        return MultilingualGlossaryDictionaryEntries(*pair, given)

    def stored(*, reverse: bool = False) -> dict[str, str]:
        pair = (BASE_TARGET, SOURCE) if reverse else (SOURCE, BASE_TARGET)
        (found,) = client.get_multilingual_glossary_entries(created, *pair).dictionaries
        tsv = str(found.entries)  # the client leaves it as it came
        return dict(line.split("\t") for line in tsv.splitlines())

    both = [entries(ENTRIES), entries({"x": "y"}, reverse=True)]
    created = client.create_multilingual_glossary("Terms", both)
    assert [each.entry_count for each in created.dictionaries] == [2, 1]
    assert [g.glossary_id for g in client.list_multilingual_glossaries()] == [created.glossary_id]
    assert client.list_glossaries() == []
    with pytest.raises(deepl.GlossaryNotFoundException, match="/v3/glossaries"):
        client.get_glossary(created.glossary_id)
    assert "Wanted Term" in translated(client, created)
    assert client.update_multilingual_glossary_name(created, "New").name == "New"
    changed = client.update_multilingual_glossary_dictionary(
        created,
        entries({"artist": "Virtuoso", "house": "Palast"}),
    )
    assert (changed.name, [each.entry_count for each in changed.dictionaries]) == ("New", [1, 3])
    assert stored() == {WORD: "Wanted Term", "artist": "Virtuoso", "house": "Palast"}
    client.update_multilingual_glossary_dictionary_from_csv(created, SOURCE, BASE_TARGET, "n,m\n")
    assert len(stored()) == 4
    replaced = client.replace_multilingual_glossary_dictionary(
        created,
        entries({WORD: "Other Term"}),
    )
    assert (replaced.entry_count, stored()) == (1, {WORD: "Other Term"})
    assert "Other Term" in translated(client, created)
    client.replace_multilingual_glossary_dictionary_from_csv(
        created, BASE_TARGET, SOURCE, "p,q\nr,s\n"
    )
    assert stored(reverse=True) == {"p": "q", "r": "s"}
    assert len(client.get_multilingual_glossary(created.glossary_id).dictionaries) == 2
    client.delete_multilingual_glossary_dictionary(
        created, source_lang=BASE_TARGET, target_lang=SOURCE
    )
    with pytest.raises(deepl.GlossaryNotFoundException):
        stored(reverse=True)
    with pytest.raises(deepl.DeepLException, match="would have no terms: delete it"):
        client.delete_multilingual_glossary_dictionary(
            created, source_lang=SOURCE, target_lang=BASE_TARGET
        )
    client.delete_multilingual_glossary(created)
    with pytest.raises(deepl.GlossaryNotFoundException):
        client.delete_multilingual_glossary(created)


def test_dictionaries_of_a_form_are_numbered(server: ServerProcess, store: str) -> None:
    """As DeepL's client for Node sends them: `make test-clients` runs it."""
    form = {"name": "Terms"}
    for number, pair in ((1, (BASE_TARGET, SOURCE)), (0, (SOURCE, BASE_TARGET))):
        given = dict(zip(("source_lang", "target_lang"), pair, strict=True))
        given |= {"entries": f"{WORD}\tWanted Term", "entries_format": "tsv"}
        form |= {f"dictionaries[{number}].{name}": value for name, value in given.items()}
    headers = {"Authorization": f"DeepL-Auth-Key {new_key(store)}"}
    with httpx.Client(base_url=f"{server.url}/v3", headers=headers) as http:
        created = http.post("/glossaries", data=form).raise_for_status().json()
        pairs = [(d["source_lang"], d["target_lang"]) for d in created["dictionaries"]]
        assert [source.upper() for source, _ in pairs] == [SOURCE, BASE_TARGET]
        more = {name: value.replace(WORD, "artist") for name, value in form.items()}
        path = f"/glossaries/{created['glossary_id']}"
        changed = http.patch(path, data=more).raise_for_status().json()
        assert [d["entry_count"] for d in changed["dictionaries"]] == [2, 2]
        form = {"name": "n", "dictionaries[0].source_lang": SOURCE}
        lacking = http.post("/glossaries", data=form)
        assert (lacking.status_code, "target_lang" in lacking.json()["message"]) == (400, True)


def test_a_multilingual_glossary_comes_from_csv(client: deepl.DeepLClient) -> None:
    created = client.create_multilingual_glossary_from_csv("T", SOURCE, BASE_TARGET, "a,b\nc,d")
    assert [each.entry_count for each in created.dictionaries] == [2]


@pytest.mark.parametrize(
    ("name", "target", "entries", "message"),
    [
        ("n" * 201, BASE_TARGET, {"a": "b"}, "name: String should have at most 200 characters"),
        ("n", "E1", {"a": "b"}, "target_lang: String should match pattern"),
        ("n", SOURCE, {"a": "b"}, f"both {PAIR.source}"),
        ("n", BASE_TARGET, {"a-b": "b", "a - b": "c"}, "two targets for 'a - b'"),
        ("n", BASE_TARGET, {"a" * 201: "b"}, "has over 200 characters"),
        (
            "n",
            BASE_TARGET,
            {f"a{number}": "b" for number in range(5001)},
            "more than 5,000 terms for one direction",
        ),
        (
            "n",
            BASE_TARGET,
            {f"a{number}": "b" * 100 for number in range(200)},
            "the glossaries of a key may have 20000 bytes together",
        ),
    ],
)
def test_a_glossary_that_cannot_be_kept_is_refused(
    client: deepl.DeepLClient, name: str, target: str, entries: dict[str, str], message: str
) -> None:
    with pytest.raises(deepl.DeepLException, match=message):
        client.create_glossary(name, SOURCE, target, entries)
    assert client.list_glossaries() == []


def test_a_key_has_so_many_glossaries_and_no_more(client: deepl.DeepLClient) -> None:
    created = [client.create_glossary("g", SOURCE, BASE_TARGET, ENTRIES) for _ in range(4)]
    with pytest.raises(deepl.DeepLException, match="a key may have 4 glossaries: delete one"):
        client.create_glossary("g", SOURCE, BASE_TARGET, ENTRIES)
    client.delete_glossary(created[0])
    client.create_glossary("g", SOURCE, BASE_TARGET, ENTRIES)


def test_terms_that_differ_in_case_alone_are_two(client: deepl.DeepLClient) -> None:
    entries = {WORD.upper(): "Loud Term", WORD: "Wanted Term", WORD.title(): "Title Term"}
    created = client.create_glossary("g", SOURCE, BASE_TARGET, entries)
    assert client.get_glossary_entries(created) == entries
    assert "Wanted Term" in translated(client, created)


def test_weblate_finds_the_pair_and_uses_a_glossary(server: ServerProcess, store: str) -> None:
    """The requests of its DeepL backend, in their order."""
    headers = {"Authorization": f"DeepL-Auth-Key {new_key(store)}"}
    with httpx.Client(base_url=f"{server.url}/v2/", headers=headers) as weblate:
        for kind in ("source", "target"):
            languages = weblate.get("languages", params={"type": kind}).raise_for_status().json()
            assert {each["language"] for each in languages} & {SOURCE, TARGET}
        supported = weblate.get("glossary-language-pairs").raise_for_status().json()
        pairs = [(p["source_lang"].upper(), p["target_lang"].upper())
                 for p in supported["supported_languages"]]  # fmt: skip
        assert (SOURCE, BASE_TARGET) in pairs
        assert weblate.get("glossaries").json() == {"glossaries": []}
        glossary = {
            "name": "weblate:1:1:2:0123456789abcdef",
            "source_lang": SOURCE,
            "target_lang": BASE_TARGET,
            "entries": f"{WORD}\tWanted Term\nartist\tMaestro",
            "entries_format": "tsv",
        }
        weblate.post("glossaries", json=glossary).raise_for_status()
        (listed,) = weblate.get("glossaries").json()["glossaries"]
        assert listed["name"] == glossary["name"]
        asked = {
            "text": [f'{TEXT} <x id="5"></x>'],
            "source_lang": SOURCE,
            "target_lang": TARGET,
            "formality": "default",
            "tag_handling": "xml",
            "ignore_tags": ["x"],
            "glossary_id": listed["glossary_id"],
        }
        (found,) = weblate.post("translate", json=asked).raise_for_status().json()["translations"]
        assert "Wanted Term" in found["text"]
        assert '<x id="5"></x>' in found["text"]
        assert weblate.delete(f"glossaries/{listed['glossary_id']}").status_code == 204
        assert weblate.delete(f"glossaries/{listed['glossary_id']}").status_code == 404


def test_a_glossary_without_the_pair_is_refused(client: deepl.DeepLClient) -> None:
    created = client.create_glossary("g", "JA", "KO", {"a": "b"})
    with pytest.raises(deepl.DeepLException, match=f"no terms from {PAIR.source} to {PAIR.target}"):
        translated(client, created.glossary_id)


def test_a_glossary_is_its_keys_alone(server: ServerProcess, store: str) -> None:
    with client_of(server, new_key(store)) as owner, client_of(server, new_key(store)) as other:
        created = owner.create_glossary("g", SOURCE, BASE_TARGET, ENTRIES)
        assert other.list_glossaries() == []
        for ask in (other.get_glossary, other.delete_glossary):
            with pytest.raises(deepl.GlossaryNotFoundException):
                ask(created.glossary_id)
        with pytest.raises(deepl.DeepLException, match="there is no glossary"):
            translated(other, created.glossary_id)


def test_a_wrong_key_has_no_glossaries(server: ServerProcess) -> None:
    with client_of(server, "wrong") as client:
        for ask in (client.list_glossaries, client.list_multilingual_glossaries):
            with pytest.raises(deepl.AuthorizationException):
                ask()
        with pytest.raises(deepl.AuthorizationException):
            client.get_glossary_languages()
        with pytest.raises(deepl.AuthorizationException):
            client.translate_document_upload(b"x", target_lang=TARGET, filename="a.txt")


def test_native_requests_name_a_glossary_and_hear_what_became_of_it(
    server: ServerProcess, store: str
) -> None:
    key = new_key(store)
    plain = {"q": TEXT, "source": PAIR.source, "target": PAIR.target}
    with client_of(server, key) as client:
        client.create_glossary("Terms", SOURCE, BASE_TARGET, ENTRIES)
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as http:
        body = plain | {"glossary": "Terms", "details": True}
        (sentence,) = http.post("/translate", json=body).raise_for_status().json()["details"]
        (term,) = sentence["glossary"]
        start, end = term.pop("target_span")
        assert sentence["translation"][start:end] == "Wanted Term"
        assert term == {"source": WORD, "target": "Wanted Term", "outcome": "enforced"}
        (sentence,) = http.post("/translate", json=plain | {"details": True}).json()["details"]
        assert "glossary" not in sentence
        form = plain | {"glossary": "Terms"}
        assert "Wanted Term" in http.post("/translate", data=form).json()["translatedText"]
        reply = http.post("/translate_file", data=form, files={"file": ("a.txt", TEXT.encode())})
        assert "Wanted Term" in http.get(reply.json()["translatedFileUrl"]).text
        unknown = http.post("/translate", json=plain | {"glossary": "none"})
        assert (unknown.status_code, unknown.json()["code"]) == (400, "invalid_request")
        from_any = http.post("/translate", json=plain | {"glossary": "Terms", "source": "auto"})
        assert "name it in source" in from_any.json()["error"]


def test_a_restart_keeps_glossaries_and_documents(store: str, tmp_path: Path) -> None:
    key = new_key(store)
    with served(tmp_path / "s", store) as first, client_of(first, key) as client:
        glossary = client.create_glossary("g", SOURCE, BASE_TARGET, ENTRIES)
        long = "\n\n".join([TEXT] * 300)
        handle = client.translate_document_upload(
            long.encode(), source_lang=SOURCE, target_lang=TARGET, filename="a.txt",
            glossary=glossary,
        )  # fmt: skip
        first.process.kill()
        first.process.wait()
    with served(tmp_path / "s", store) as second, client_of(second, key) as client:
        assert client.get_glossary_entries(glossary) == ENTRIES
        client.delete_glossary(glossary)  # the document has its terms already
        client.translate_document_wait_until_done(handle)
        gotten = io.BytesIO()
        client.translate_document_download(handle, gotten)
        assert gotten.getvalue().decode().count("Wanted Term") == 300
