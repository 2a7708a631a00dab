"""A text goes in, its translation grows."""

from collections.abc import Callable

import httpx
import pytest

from tests.browser.conftest import MAX_CHARS
from tests.browser.visit import Visit
from tests.service.server_process import LONGEST_S

Opener = Callable[..., Visit]
TEXT = "The dog sees the house.\n\nThe cat sees the tree. \U0001f600 The dog sees the cat."


def test_translation_is_what_the_api_answers(visit: Opener, server_url: str) -> None:
    asked = {"q": TEXT, "source": "en", "target": "de"}
    reply = httpx.post(f"{server_url}translate", json=asked, timeout=LONGEST_S)
    page = visit()
    page.translate(TEXT)
    assert page.page.text_content("#translation") == reply.json()["translatedText"]


def test_translation_grows_sentence_by_sentence(visit: Opener) -> None:
    page = visit()
    page.page.evaluate(
        """() => {
            window.lengths = [];
            const translation = document.querySelector("#translation");
            new MutationObserver(() => window.lengths.push(translation.textContent.length))
                .observe(translation, { childList: true });
        }"""
    )
    page.translate("The dog sees the house. " * 12)
    lengths = page.page.evaluate("window.lengths")
    grown = [length for length in lengths if length]
    assert len(set(grown)) > 1
    assert grown == sorted(grown)


def test_sentences_are_marked_where_they_stand(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    page.open_tab("words")
    for number, sentence in enumerate(page.texts_of("#translation .sentence")):
        if number:
            page.page.click("#next")
        words = page.texts_of("#panel-words .line:last-child .word")
        assert "".join(words) == sentence.replace(" ", "")


def test_too_long_a_text_is_counted_and_the_button_says_why(visit: Opener) -> None:
    page = visit()
    page.send("a" * (MAX_CHARS + 1))
    assert page.text_of("#count") == f"{MAX_CHARS + 1} of {MAX_CHARS}"
    assert page.page.evaluate("document.querySelector('#count').matches('.over')")
    assert page.text_of("#translate") == "1 character too many"
    assert page.page.is_disabled("#translate")
    page.translate("The dog sees the house.")
    assert page.text_of("#translate") == "Translate"


def test_error_in_the_middle_is_a_sentence_beside_what_was_finished(visit: Opener) -> None:
    page = visit()
    page.wait_until_ready()
    body = (
        'event: part\ndata: {"index":0,"text":"Der Hund.","details":[]}\n\n'
        'event: error\ndata: {"error":"not finished","code":"x"}\n\n'
    )
    page.page.route(
        "**/translate", lambda route: route.fulfill(content_type="text/event-stream", body=body)
    )
    page.send("The dog. The cat.")
    page.page.wait_for_selector("#problem:not([hidden])")
    assert page.text_of("#problem span") == "Not finished."
    assert page.text_of("#translation") == "Der Hund."


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("translation_failed", "Die Übersetzung ist fehlgeschlagen."),
        (
            "internal",
            "Der Server ist an dieser Anfrage gescheitert; der Grund steht in seinem Protokoll.",
        ),
    ],
)
def test_error_in_the_middle_is_explained_in_the_language_of_the_page(
    visit: Opener, code: str, said: str
) -> None:
    page = visit(locale="de-DE")
    page.wait_until_ready()
    body = f'event: error\ndata: {{"error":"it failed","code":"{code}"}}\n\n'
    page.page.route(
        "**/translate", lambda route: route.fulfill(content_type="text/event-stream", body=body)
    )
    page.send("The dog. The cat.")
    page.page.wait_for_selector("#problem:not([hidden])")
    assert page.text_of("#problem span") == said


def test_lost_connection_clears_nothing_and_comes_back(visit: Opener) -> None:
    page = visit()
    page.expects_refusal = True
    page.translate("The dog sees the house.")
    before = page.text_of("#translation")
    page.page.context.set_offline(True)
    page.send("The cat sees the house.")
    page.page.wait_for_selector("#problem:not([hidden])")
    assert page.text_of("#problem span") == "Connection lost: try again."
    assert page.text_of("#translation") == before
    with page.page.expect_response("**/translate"):
        page.page.context.set_offline(False)
    page.page.wait_for_selector("#problem", state="hidden")


def test_busy_server_says_when_and_can_be_asked_again(visit: Opener) -> None:
    page = visit()
    page.expects_refusal = True
    page.wait_until_ready()
    page.page.route(
        "**/translate",
        lambda route: route.fulfill(
            status=429,
            headers={"Retry-After": "3"},
            content_type="application/json",
            body='{"error":"the queue is full","code":"overloaded"}',
        ),
    )
    page.send("The dog sees the house.")
    page.page.wait_for_selector("#problem:not([hidden])")
    assert page.text_of("#problem span") == "The server is busy: try again in 3 s."
    page.page.unroute("**/translate")
    page.page.click("#problem button")
    page.page.wait_for_selector("#inspector:not([hidden])")
    assert not page.page.is_visible("#problem")


def test_text_is_never_markup(visit: Opener) -> None:
    page = visit()
    page.translate("<img src=x onerror=alert(1)> The dog sees the house.")
    assert page.page.locator("main img").count() == 0


def test_swap_takes_the_translation_as_the_text(visit: Opener) -> None:
    page = visit()
    page.expects_refusal = True  # this server has no way back
    languages = (
        '[{"code":"en","name":"English","targets":["de"]},'
        '{"code":"de","name":"German","targets":["en"]}]'
    )
    page.page.route(
        "**/languages", lambda route: route.fulfill(content_type="application/json", body=languages)
    )
    page.page.reload()
    page.wait_until_ready()
    page.page.select_option("#source", "en")
    page.translate("The dog sees the house.")
    translation = page.text_of("#translation")
    page.page.unroute("**/languages")
    page.page.click("#swap")
    assert page.page.input_value("#source") == "de"
    assert page.page.input_value("#target") == "en"
    assert page.page.input_value("#text") == translation


def test_swap_is_not_offered_where_there_is_no_way_back(visit: Opener) -> None:
    page = visit()
    page.wait_until_ready()
    assert page.page.is_disabled("#swap")


def test_key_is_asked_for_where_the_server_wants_one(visit: Opener) -> None:
    page = visit()
    settings = '{"keyRequired":true,"charLimit":100}'
    page.page.route(
        "**/frontend/settings",
        lambda route: route.fulfill(content_type="application/json", body=settings),
    )
    page.page.reload()
    page.page.fill("#key", "secret")
    with page.page.expect_request("**/translate") as sent:
        page.send("The dog sees the house.")
    assert '"api_key":"secret"' in (sent.value.post_data or "")


@pytest.mark.parametrize("width", [320, 360, 768, 1280, 1920, 2560])
@pytest.mark.parametrize("path", ["", "docs", "model"])
def test_page_is_never_wider_than_the_window(visit: Opener, width: int, path: str) -> None:
    page = visit(path, width=width)
    if path == "model":
        page.page.wait_for_selector("table")
    elif not path:
        page.translate(TEXT + " The dog sees the house and the cat and the tree and the dog.")
        page.open_attention()
    else:
        page.page.wait_for_selector("details")
        page.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
