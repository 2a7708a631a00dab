"""Which models an index offers, and which of them is the best."""

import json
from pathlib import Path
from typing import Any

import pytest

from export.errors import InstallError
from export.installation.offers import Offer, Pair, parse_pair
from export.installation.selection import best_offer, open_sources
from export.installation.settings import load_install_settings
from export.installation.transfer import Transfers
from service.cli.main import main
from tests.export.installation.mirror import (
    ATTACHMENTS_PATH,
    RECORDS_PATH,
    Mirror,
    put_firefox,
    put_models_json,
    put_records,
    records_of,
)
from tests.export.installation.test_install import refused

EN_DE = Pair(source="en", target="de")


def best(origin: str, pair: Pair = EN_DE) -> Offer:
    settings = load_install_settings()
    offer = best_offer(open_sources(settings, Transfers(5), [origin]), pair)
    assert offer is not None
    return offer


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([("3.0", "tiny"), ("3.0", "base-memory")], ("3.0", "base-memory")),
        ([("3.0", "base"), ("3.0", "base-memory")], ("3.0", "base")),
        ([("2.1", "base"), ("3.0", "tiny")], ("3.0", "tiny")),
        ([("3.0", "tiny"), ("3.10", "tiny"), ("3.9", "tiny")], ("3.10", "tiny")),
        ([("3.1a1", "base"), ("3.0", "tiny")], ("3.0", "tiny")),
        ([("3.0", "tiny"), ("4.0", "base")], ("3.0", "tiny")),
        ([("3.0", "unheard-of"), ("3.0", "tiny")], ("3.0", "tiny")),
    ],
)
def test_of_firefox_s_models_the_released_the_newest_the_largest_is_taken(
    versions: list[tuple[str, str]],
    expected: tuple[str, str],
    mirror: Mirror,
    small_model: Path,
) -> None:
    for version, architecture in versions:
        put_firefox(mirror, small_model, "en-de", version=version, architecture=architecture)
    offer = best("firefox")
    assert (offer.version, offer.model) == expected
    assert offer.is_released


def test_a_model_for_some_channels_only_is_taken_if_there_is_no_other(
    mirror: Mirror, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nightly = "env.channel == 'nightly'"
    put_firefox(mirror, small_model, "en-de", version="3.1", filter_expression=nightly)
    assert not best("firefox").is_released
    assert main(["install", "en-de", "--dry-run"]) == 0
    assert "not released" in capsys.readouterr().out
    put_firefox(mirror, small_model, "en-de", version="3.0")
    assert best("firefox").version == "3.0"


def test_a_model_without_a_vocabulary_is_none(mirror: Mirror, small_model: Path) -> None:
    put_firefox(mirror, small_model, "en-de")
    put_records(mirror, [r for r in records_of(mirror) if r["fileType"] != "vocab"])
    with pytest.raises(AssertionError):
        best("firefox")


def test_the_first_collection_is_read_too(mirror: Mirror, small_model: Path) -> None:
    """Its files are not packed, and its records name no architecture."""
    put_firefox(mirror, small_model, "en-de", version="1.0")
    records = []
    for record in records_of(mirror):
        old = {k: record[k] for k in ("name", "version", "fileType", "id", "last_modified")}
        old |= {"fromLang": "en", "toLang": "de", "attachment": dict(record["attachment"])}
        old["attachment"]["filename"] = record["name"]
        records.append(old)
    put_records(mirror, records)
    offer = best("firefox")
    assert offer.version == "1.0"
    assert {file.packing for file in offer.files} == {None}


def test_of_two_lexicons_the_one_that_firefox_uses_is_taken(
    mirror: Mirror, small_model: Path
) -> None:
    (record, *_) = put_firefox(mirror, small_model, "en-de")
    names = ("lex.50.50.ende.s2t.bin", "lex.ende.s2t.bin")
    lexicons: list[dict[str, Any]] = [
        {**record, "fileType": "lex", "name": name, "last_modified": 10**13 + i}
        for i, name in enumerate(names)
    ]
    put_records(mirror, [*records_of(mirror), *lexicons])
    assert names[0] in [file.name for file in best("firefox").files]
    assert names[1] not in [file.name for file in best("firefox").files]


def test_models_json_has_codes_of_its_own(mirror: Mirror, small_model: Path) -> None:
    index = put_models_json(mirror, {"en-zh_hant": small_model, "zh-en": small_model})
    settings = load_install_settings().model_copy(update={"firefox_index": index})
    (source,) = open_sources(settings, Transfers(5), ["firefox"])
    assert [str(offer.pair) for offer in source.offers()] == ["en-zh-hant", "zh-hans-en"]


def test_where_files_are_is_a_setting(
    mirror: Mirror, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_firefox(mirror, small_model, "en-de")
    monkeypatch.setenv("PELLUCID_INSTALL_FIREFOX_FILES", "https://cdn.example/base/")
    urls = [file.url for file in best("firefox").files]
    assert all(url.startswith("https://cdn.example/base/main/") for url in urls)
    assert mirror.asked("/v1/") == []


def test_the_newest_package_of_argos_is_taken(mirror: Mirror) -> None:
    packages = [
        {"package_version": version, "from_code": "en", "to_code": "zt", "links": [link]}
        for version, link in [("1.9", "https://a/x.argosmodel"), ("1.10", "https://b/y.argosmodel")]
    ]
    tool = {"package_version": "1.0", "type": "sbd", "from_code": "en", "to_code": "zt"}
    mirror.put("/argos/index.json", [*packages, tool])
    offer = best("argos", Pair(source="en", target="zh-hant"))
    assert (offer.version, offer.files[0].url) == ("1.10", "https://b/y.argosmodel")
    assert offer.licence is None


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("en-zh", "en-zh-hans"),
        ("en-zh-hant", "en-zh-hant"),
        ("en-zh-tw", "en-zh-hant"),  # whose region is written in that script
        ("en-gb:pt-br", "en-pt"),
    ],
)
def test_a_language_is_found_by_a_code_that_fits(
    asked: str, found: str, mirror: Mirror, small_model: Path
) -> None:
    put_firefox(mirror, small_model, "en-pt")
    put_firefox(mirror, small_model, "en-zh-Hans")
    put_firefox(mirror, small_model, "en-zh-Hant", architecture="base")
    assert str(best("firefox", parse_pair(asked)).pair) == found


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("en-pt", ("en", "pt")),
        ("en-pt-br", ("en", "pt-br")),
        ("EN:pt_BR", ("en", "pt-br")),
        ("zh-hans:en", ("zh-hans", "en")),
        ("zh-hans-en", ("zh-hans", "en")),
    ],
)
def test_pairs_are_of_language_codes(text: str, pair: tuple[str, str]) -> None:
    parsed = parse_pair(text)
    assert (parsed.source, parsed.target) == pair


@pytest.mark.parametrize("text", ["en", "", "en-", "en-en", "1-2", "../x-y", "en-german"])
def test_anything_else_is_no_pair(text: str) -> None:
    with pytest.raises(InstallError, match="is no pair of languages"):
        parse_pair(text)


def test_search_lists_the_models_of_a_language(
    mirror: Mirror, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_firefox(mirror, small_model, "en-de")
    put_firefox(mirror, small_model, "en-de", architecture="base")
    put_firefox(mirror, small_model, "fr-en")
    assert main(["search", "de", "--from", "firefox"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["en-de", "firefox", "base"],
        ["en-de", "firefox", "tiny"],
    ]
    assert "MPL-2.0" in lines[1]
    assert "no model translates from or into pt" in refused(
        capsys, "search", "pt", "--from", "firefox"
    )


def test_search_lists_what_it_can_where_a_source_fails(
    mirror: Mirror, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_firefox(mirror, small_model, "en-de")
    mirror.put("/argos/index.json", b"broken")
    assert main(["search", "de"]) == 0
    output = capsys.readouterr()
    assert "en-de" in output.out
    assert "argos/index.json is no JSON" in output.err


def test_opus_lists_repositories_of_pairs(hub: Mirror, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["opus-mt-en-de", "opus-mt-tc-big-en-pt", "opus-mt-en-ROMANCE", "opus-tatoeba-en-de"]
    listed = [
        {"id": f"Helsinki-NLP/{name}", "modelId": name, "tags": [], "private": False}
        for name in names
    ]
    for query in ("author=Helsinki-NLP&search=opus-mt", "search=opus-mt&author=Helsinki-NLP"):
        hub.put(f"/api/models?{query}", listed)
    assert main(["search", "--from", "opus"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["pair", "en-de", "en-pt"]


def test_the_index_is_as_firefox_s_own_client_expects_it(mirror: Mirror, small_model: Path) -> None:
    put_firefox(mirror, small_model, "en-de")
    record = json.loads(mirror.resources[RECORDS_PATH].content)["data"][0]
    location = record["attachment"]["location"]
    assert mirror.resources[ATTACHMENTS_PATH + location].content[:4] == b"\x28\xb5\x2f\xfd"
