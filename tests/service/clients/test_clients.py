"""Real clients of other services, which only need another address."""

from collections.abc import Iterator
from contextlib import closing
from urllib.error import HTTPError

import deepl
import pytest
from deep_translator import LibreTranslator
from deep_translator.exceptions import AuthorizationException
from libretranslatepy import LibreTranslateAPI

from tests.service.server_process import ServerProcess, serving
from tests.service.tiny_models import tiny_bundle

KEY, SMALL_KEY = "key-of-the-tests", "small-key-of-the-tests"
PAIR = tiny_bundle().manifest.pairs[0]
TEXT = tiny_bundle().manifest.canary.source_text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("clients")
    keys = {"PELLUCID_API_KEYS": f"{KEY},{SMALL_KEY}", "PELLUCID_MAX_CHARS_PER_KEY": "2000"}
    with serving(folder, "--workers", "1", "--slots-per-worker", "8", **keys) as running:
        yield running


@pytest.fixture(params=["", "/deepl"])
def client(server: ServerProcess, request: pytest.FixtureRequest) -> Iterator[deepl.DeepLClient]:
    address = server.url + request.param
    with closing(deepl.DeepLClient(KEY, server_url=address)) as opened:
        yield opened


def _source() -> str:
    return PAIR.source.upper()


def _target() -> str:
    return {"en": "EN-GB", "pt": "PT-PT"}.get(PAIR.target, PAIR.target.upper())


def test_deepl_translates_a_text(client: deepl.DeepLClient) -> None:
    result = client.translate_text(TEXT, source_lang=_source(), target_lang=_target())
    assert isinstance(result, deepl.TextResult)
    assert (result.detected_source_lang, result.billed_characters) == (_source(), len(TEXT))
    assert result.text


def test_deepl_finds_the_language_out(client: deepl.DeepLClient) -> None:
    result = client.translate_text(TEXT, target_lang=_target())
    assert isinstance(result, deepl.TextResult)
    assert result.detected_source_lang == _source()


def test_deepl_translates_a_list(client: deepl.DeepLClient) -> None:
    results = client.translate_text([TEXT, "", "42"], source_lang=_source(), target_lang=_target())
    assert isinstance(results, list)
    assert [result.text for result in results[1:]] == ["", "42"]


@pytest.mark.parametrize("kind", ["html", "xml"])
def test_deepl_translates_markup(client: deepl.DeepLClient, kind: str) -> None:
    result = client.translate_text(
        f"<p>{TEXT}</p><x>kept</x>",
        source_lang=_source(),
        target_lang=_target(),
        tag_handling=kind,
        ignore_tags=["x"],
    )
    assert isinstance(result, deepl.TextResult)
    assert result.text.startswith("<p>")
    assert result.text.endswith("</p><x>kept</x>")


def test_deepl_lists_languages(client: deepl.DeepLClient) -> None:
    assert _source() in [language.code for language in client.get_source_languages()]
    assert _target() in [language.code for language in client.get_target_languages()]


def test_deepl_reads_its_usage(client: deepl.DeepLClient) -> None:
    before = client.get_usage().character
    text = f"{TEXT} {before.count}"  # equal texts within seconds would count once
    for _ in range(2):
        client.translate_text(text, source_lang=_source(), target_lang=_target())
    after = client.get_usage().character
    assert (after.limit, after.count) == (2000, (before.count or 0) + len(text))


def test_deepl_understands_a_wrong_key(server: ServerProcess) -> None:
    with (
        closing(deepl.DeepLClient("wrong", server_url=server.url)) as client,
        pytest.raises(deepl.AuthorizationException, match="Invalid API key"),
    ):
        client.get_usage()


def test_deepl_understands_an_exhausted_quota(server: ServerProcess) -> None:
    with (
        closing(deepl.DeepLClient(SMALL_KEY, server_url=server.url)) as client,
        pytest.raises(deepl.QuotaExceededException, match="characters left this month"),
    ):
        client.translate_text("a" * 2001, source_lang=_source(), target_lang=_target())


def test_deepl_understands_what_is_refused(client: deepl.DeepLClient) -> None:
    with pytest.raises(deepl.DeepLException, match="zz is not supported"):
        client.translate_text(TEXT, source_lang=_source(), target_lang="ZZ")
    with pytest.raises(deepl.DeepLException, match="formality"):
        client.translate_text(TEXT, source_lang=_source(), target_lang=_target(), formality="more")


def test_libretranslatepy_translates_detects_and_lists(server: ServerProcess) -> None:
    client = LibreTranslateAPI(server.url, api_key=KEY)
    assert client.translate(TEXT, PAIR.source, PAIR.target)
    assert client.detect(TEXT)[0]["language"] == PAIR.source
    assert PAIR.source in [language["code"] for language in client.languages()]


@pytest.mark.parametrize(("key", "status"), [(None, 400), ("wrong", 403)])
def test_libretranslatepy_sees_the_status(
    server: ServerProcess, key: str | None, status: int
) -> None:
    with pytest.raises(HTTPError) as caught:
        LibreTranslateAPI(server.url, api_key=key).translate(TEXT, PAIR.source, PAIR.target)
    caught.value.close()
    assert caught.value.code == status


def test_deep_translator_translates(server: ServerProcess) -> None:
    pair = {"source": PAIR.source, "target": PAIR.target}
    client = LibreTranslator(api_key=KEY, custom_url=f"{server.url}/", **pair)
    assert client.translate(TEXT)
    assert len(client.translate_batch([TEXT, "42"])) == 2
    wrong = LibreTranslator(api_key="wrong", custom_url=f"{server.url}/", **pair)
    with pytest.raises(AuthorizationException):
        wrong.translate(TEXT)
