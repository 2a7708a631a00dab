import io
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import Attention, Client, ServiceError, Translation, Translator
from pellucid.options import HeadIndices
from service.errors import (
    DeadlineExceededError,
    ForbiddenError,
    InvalidRequestError,
    KeyRequiredError,
    OverloadedError,
    PayloadTooLargeError,
    UnsupportedLanguageError,
    WrongKeysError,
)
from service.inspection.values import AttentionSelection, Method
from tests.service.server_process import serving

TEXTS = ["ab cd.", "Ef gh ij. Kl.", "ab."]
KEY = "a-key-of-many-characters"
EN_DE = Path(__file__).parents[2] / "bundles" / "en-de"


def test_translations_are_those_of_a_translator(client: Client, translator: Translator) -> None:
    assert client.translate(TEXTS[0]) == translator.translate(TEXTS[0])
    assert client.translate(TEXTS) == translator.translate(TEXTS)
    assert client.translate([]) == []


@pytest.mark.parametrize("text", ["", " ", "\n", "1.", "-"])
def test_texts_without_words_come_back(client: Client, translator: Translator, text: str) -> None:
    assert client.translate(text) == translator.translate(text)


def test_details_are_those_of_a_translator(client: Client, translator: Translator) -> None:
    asked = client.translate(TEXTS, details=True, alternatives=1, alignment=True, beam_size=2)
    ours = translator.translate(TEXTS, details=True, alternatives=1, alignment=True, beam_size=2)
    assert asked == [_as_replied(each) for each in ours]
    assert all(sentence.words for each in asked for sentence in each.sentences)


def _as_replied(translation: Translation) -> Translation:
    """Without the model's limit of confidence, which no reply has."""
    sentences = (replace(each, is_doubtful=False) for each in translation.sentences)
    return replace(translation, sentences=tuple(sentences))


def test_every_option_reaches_the_server(client: Client, translator: Translator) -> None:
    for options in (
        {"html": True},
        {"glossary": {"ab": "Xy"}},
        {"unwrap": True},
        {"max_target_tokens": 2},
        {"length_penalty": 3.0, "beam_size": 4},
        {"timeout_s": 20.0},
        {"timeout_s": float("inf")},
    ):
        text = "<b>ab</b> cd\nef gh."
        assert client.translate(text, **options) == translator.translate(text, **options)


def test_a_detected_language_is_named(client: Client) -> None:
    found = client.translate("The weather is nice.", source="auto", details=True)
    assert found.detected is not None
    assert found.detected.language == client.detect("The weather is nice.")[0].language == "en"


def test_scores_are_those_of_a_translator(client: Client, translator: Translator) -> None:
    scored, ours = (each.score(TEXTS, TEXTS) for each in (client, translator))
    assert scored == ours


@pytest.mark.parametrize("text", ["ab cd.", "Ef gh ij. Kl.", "12"])
def test_attention_is_that_of_a_translator(
    client: Client, translator: Translator, text: str
) -> None:
    selection = AttentionSelection(kinds=("cross", "decoder"), heads=(1,))
    received, ours = (each.attention(text, selection=selection) for each in (client, translator))
    assert received.translation == ours.translation
    assert len(received.sentences) == len(ours.sentences)
    for one, other in zip(received.sentences, ours.sentences, strict=True):
        assert (one.source_span, one.links) == (other.source_span, other.links)
        assert one.attention.target_tokens == other.attention.target_tokens
        assert one.attention.confidence.value == pytest.approx(other.attention.confidence.value)
        for kind in selection.kinds:
            np.testing.assert_allclose(
                one.attention.maps[kind], other.attention.maps[kind], atol=1e-6
            )
    assert _size(received) == _size(ours)


def test_contributions_are_those_of_a_translator(client: Client, translator: Translator) -> None:
    selection = AttentionSelection(method="occlusion")
    received, ours = (
        each.attention("ab cd.", selection=selection) for each in (client, translator)
    )
    assert received.contributions.method == "occlusion"
    assert received.contributions.prefix_tokens == ours.contributions.prefix_tokens
    for name in ("source", "target", "source_share"):
        found, expected = (getattr(each.contributions, name) for each in (received, ours))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert _size(received) == _size(ours)


def test_states_are_those_of_a_translator(tmp_path: Path) -> None:
    selection = AttentionSelection(layers=(1,), states=True)
    with (
        serving(tmp_path, "--bundles", str(EN_DE)) as server,
        Client(server.url, "en", "de") as client,
        Translator("en", "de", bundles=EN_DE, threads=1) as translator,
    ):
        received, ours = (
            each.attention("Good morning.", selection=selection).sentence.attention.states
            for each in (client, translator)
        )
    assert received is not None
    for name in ("queries", "keys", "values", "activations", "residual_norms"):
        np.testing.assert_allclose(getattr(received, name), getattr(ours, name), atol=1e-3)


@pytest.mark.parametrize("text", ["12\n\nab cd.", " ab cd.\n", "1,2. Ef gh ij.", "* *\n1.\nab"])
def test_a_sentence_beside_parts_without_words_has_its_own_links(
    client: Client, translator: Translator, text: str
) -> None:
    received, ours = (each.attention(text).sentence for each in (client, translator))
    for name in ("source", "translation", "source_span", "target_span", "links"):
        assert getattr(received, name) == getattr(ours, name)


CAUSES: tuple[Method, ...] = ("attention", "occlusion")


@pytest.mark.parametrize("method", CAUSES)
def test_a_contrast_is_that_of_a_translator(
    client: Client, translator: Translator, method: Method
) -> None:
    selection = AttentionSelection(method=method, kinds=("cross", "decoder"))
    received, ours = (
        each.attention("ab cd.", "cd ef.", contrast="cd gh ij.", selection=selection).contrast
        for each in (client, translator)
    )
    assert received.steps == ours.steps
    assert received.first_difference == ours.first_difference
    assert received.first_difference is not None
    assert received.translation == "cd gh ij."
    for name in ("target_tokens", "token_log_probs", "score_differences"):
        assert getattr(received, name) == pytest.approx(getattr(ours, name), abs=1e-6)
    assert set(received.maps) == set(ours.maps)
    for kind, expected in ours.maps.items():
        np.testing.assert_allclose(received.maps[kind], expected, atol=1e-6)
    assert (received.contributions is None) == (method == "attention")
    if received.contributions and ours.contributions:
        for side in ("source", "target"):
            found, expected = (getattr(c.contributions, side) for c in (received, ours))
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_without_a_contrast_there_is_none(client: Client, translator: Translator) -> None:
    for each in (client, translator):
        with pytest.raises(InvalidRequestError, match="give `contrast=`"):
            each.attention("ab.").contrast  # noqa: B018 - a property that raises


def test_heads_are_left_out(client: Client, translator: Translator) -> None:
    heads: list[HeadIndices] = [("cross", 0, 1), ("encoder", 1, 0)]
    whole = translator.score("ab cd.", "cd ef.")
    scores = [each.score("ab cd.", "cd ef.", without_heads=heads) for each in (client, translator)]
    assert scores[0] == scores[1]
    assert scores[0].log_prob != pytest.approx(whole.log_prob, abs=1e-3)
    for each in (client, translator):
        found = each.attention("ab cd.", "cd ef.", without_heads=heads)
        assert found.sentence.attention.token_log_probs == pytest.approx(
            scores[0].token_log_probs, abs=1e-6
        )
    translations = [
        each.translate("ab cd.", details=True, search=True, without_heads=heads)
        for each in (client, translator)
    ]
    assert translations[0] == _as_replied(translations[1])
    assert translations[0] != _as_replied(translator.translate("ab cd.", details=True, search=True))


def test_a_search_is_that_of_a_translator(client: Client, translator: Translator) -> None:
    found, ours = (
        each.translate("ab cd.", details=True, search=True, beam_size=2).sentences[0]
        for each in (client, translator)
    )
    assert found.search is not None
    assert found.search == ours.search
    results = [c.token for step in found.search.steps for c in step if c.is_result]
    assert tuple(results) == found.target_tokens


def _size(attention: Attention) -> tuple[int, int]:
    return Image.open(io.BytesIO(attention.png())).size


def test_given_translations_are_inspected(client: Client, translator: Translator) -> None:
    received, ours = (each.attention(["ab."], ["cd ef."])[0] for each in (client, translator))
    assert received.translation == "cd ef."
    np.testing.assert_allclose(received["cross"], ours["cross"], atol=1e-6)


def test_errors_are_those_of_a_translator(client: Client) -> None:
    with pytest.raises(UnsupportedLanguageError, match="xx is not supported"):
        client.translate("ab.", target="xx")
    with pytest.raises(InvalidRequestError, match="beam_size"):
        client.translate("ab.", beam_size=99)


def test_threads_share_a_client(client: Client, translator: Translator) -> None:
    alone = {text: translator.translate(text) for text in TEXTS}
    with ThreadPoolExecutor(8) as pool:
        asked = TEXTS * 20
        assert list(pool.map(client.translate, asked)) == [alone[text] for text in asked]


def test_key_opens_a_server_that_asks_for_one(tmp_path: Path) -> None:
    with serving(tmp_path, PELLUCID_API_KEYS=KEY) as server:
        with Client(server.url, "en", "de", api_key=KEY) as client:
            assert client.translate("ab.")
        with Client(server.url, "en", "de") as client, pytest.raises(KeyRequiredError):
            client.translate("ab.")
        with Client(server.url, "en", "de", api_key="x") as client, pytest.raises(ForbiddenError):
            client.translate("ab.")


def test_a_client_survives_a_restart_of_its_server(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        client = Client(server.url, "en", "de")
        before = client.translate("ab.")
    port = server.url.rpartition(":")[2]
    with pytest.raises(ConnectionError, match="cannot be reached"):
        client.translate("ab.")
    with serving(tmp_path, "--port", port):
        assert client.translate("ab.") == before
    client.close()


def test_wrong_addresses_are_named() -> None:
    with pytest.raises(ValueError, match="'localhost:8000' is no address such as http"):
        Client("localhost:8000")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Client(url, "en", "de") as client, pytest.raises(ConnectionError, match=url):
            client.translate("ab.")


def test_a_body_that_the_server_does_not_read_is_refused_by_its_limit(client: Client) -> None:
    for _ in range(2):  # the second time on a connection that was kept
        with pytest.raises(PayloadTooLargeError, match="more than 1048576 bytes: send it in parts"):
            client.translate(["x" * 1_000_000] * 20)
    assert client.translate("ab.")


Scripted = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


@dataclass(slots=True, kw_only=True)
class Script:
    """Replies of a server, one after the other, and the headers of what it was asked."""

    replies: list[Scripted]
    keys: list[str] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)


@contextmanager
def _scripted(script: Script) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            script.keys.append(self.headers["Idempotency-Key"])
            script.connections.add(self.client_address)
            status, headers, body = script.replies.pop(0)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _refusal(code: str, retry_after: str) -> Scripted:
    body = json.dumps({"error": "try later", "code": code}).encode()
    return 429, {"Retry-After": retry_after}, body


GOOD: Scripted = (200, {}, json.dumps({"translatedText": ["ok"]}).encode())


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    waited: list[float] = []
    script = Script(replies=[_refusal("overloaded", "2"), _refusal("rate_limited", "7"), GOOD])
    with (
        _scripted(script) as url,
        Client(url, "en", "de", sleep=waited.append) as client,
    ):
        assert client.translate("ab.") == "ok"
    assert waited == [2.0, 7.0]
    assert len(set(script.keys)) == 1
    assert len(script.connections) == 1


def test_patience_has_an_end() -> None:
    script = Script(replies=[_refusal("overloaded", "2")] * 3)
    waited: list[float] = []
    with (
        _scripted(script) as url,
        Client(url, "en", "de", max_retries=2, sleep=waited.append) as client,
        pytest.raises(OverloadedError, match="try later") as error,
    ):
        client.translate("ab.")
    assert error.value.retry_after_s == 2.0
    assert waited == [2.0, 2.0]


@pytest.mark.parametrize(
    ("retries_after", "of_client_s", "of_call_s", "expected"),
    [
        (["31"], 30.0, 60.0, []),  # longer than the client waits
        (["30", "30"], 30.0, 60.0, [30.0, 30.0]),
        (["30"], 60.0, 5.0, []),  # longer than the call has
        (["3", "3"], 60.0, 5.0, [3.0]),
        (["inf"], 60.0, 5.0, []),
    ],
)
def test_no_wait_ends_after_the_time_of_the_caller(
    retries_after: list[str], of_client_s: float, of_call_s: float, expected: list[float]
) -> None:
    script = Script(replies=[*(_refusal("overloaded", after) for after in retries_after), GOOD])
    waited: list[float] = []
    with (
        _scripted(script) as url,
        Client(
            url,
            "en",
            "de",
            timeout_s=of_client_s,
            sleep=waited.append,
            clock=lambda: sum(waited, 100.0),
        ) as client,
    ):
        if sum(map(float, retries_after)) == sum(expected):
            assert client.translate("ab.", timeout_s=of_call_s) == "ok"
        else:
            with pytest.raises(OverloadedError, match="try later") as error:
                client.translate("ab.", timeout_s=of_call_s)
            assert error.value.retry_after_s == float(retries_after[-1])
    assert waited == expected


def test_a_silent_server_is_waited_for_as_long_as_the_call_has() -> None:
    def answer_once(server: socket.socket, connections: list[socket.socket]) -> None:
        connections.append(server.accept()[0])
        connections[0].recv(65_536)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(GOOD[2])}\r\n\r\n"
        connections[0].sendall(head.encode() + GOOD[2])

    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        pool.submit(answer_once, server, kept)
        with Client(url, "en", "de") as client:
            assert client.translate("ab.") == "ok"
            with pytest.raises(DeadlineExceededError, match="did not answer within 1 s"):
                client.translate("ab.", timeout_s=0.5)
        with (
            Client(url, "en", "de", timeout_s=0.1) as client,
            pytest.raises(TimeoutError, match=r"did not answer within 0\.1 s"),
        ):
            client.translate("ab.", timeout_s=60.0)
        kept[0].close()


@pytest.mark.parametrize("retry_after", ["-5", "nan", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_wait_that_is_no_number_of_seconds_is_short(retry_after: str) -> None:
    script = Script(replies=[_refusal("overloaded", retry_after), GOOD])
    waited: list[float] = []
    with _scripted(script) as url, Client(url, "en", "de", sleep=waited.append) as client:
        assert client.translate("ab.") == "ok"
    assert waited == [1.0]


def test_a_wrong_key_is_not_tried_again() -> None:
    waited: list[float] = []
    script = Script(replies=[_refusal("wrong_keys", "60")])
    with (
        _scripted(script) as url,
        Client(url, "en", "de", sleep=waited.append) as client,
        pytest.raises(WrongKeysError),
    ):
        client.translate("ab.")
    assert waited == []


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((200, {}, b"<html>"), "no JSON"),
        ((502, {}, b"<html>"), "status 502"),
        ((200, {}, b'{"translation": "ok"}'), "of another version than this client"),
        ((500, {}, b'{"error": "broken", "code": "new_code"}'), "broken"),
    ],
)
def test_replies_of_other_servers_are_errors(reply: Scripted, message: str) -> None:
    with (
        _scripted(Script(replies=[reply])) as url,
        Client(url, "en", "de") as client,
        pytest.raises(ServiceError, match=message),
    ):
        client.translate("ab.")
