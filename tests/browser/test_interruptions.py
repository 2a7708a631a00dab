"""An interruption loses no text, no translation and no file."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Route

Opener = Callable[..., Visit]
TEXT = "The dog sees the house."
OTHER_TEXT = "The cat sees the tree."
BOTH_WAYS = (
    '[{"code":"en","name":"English","targets":["de"]},'
    '{"code":"de","name":"German","targets":["en"]}]'
)


def test_a_lost_answer_loses_no_file(visit: Opener) -> None:
    page = visit()
    page.expects_refusal = True
    page.wait_until_ready()
    lost: list[str] = []

    def lose_the_first(route: "Route") -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    page.page.route("**/jobs/*", lose_the_first)
    page.choose_file("letter.txt", f"{TEXT}\n".encode() * 20)
    page.page.wait_for_selector("#files a, #files .failed")
    assert lost
    assert page.texts_of("#files a") == ["Download"]
    page.page.unroute("**/jobs/*")


def test_a_file_that_is_removed_while_it_is_sent_is_not_translated(visit: Opener) -> None:
    page = visit()
    page.wait_until_ready()
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.page.route("**/translate_file", hold)
    with page.page.expect_request("**/translate_file"):
        page.choose_file("letter.txt", f"{TEXT}\n".encode() * 20)
    page.page.click("#files button")
    with page.page.expect_request(lambda asked: asked.method == "DELETE") as cancelled:
        held[0].continue_()
    assert "/jobs/" in cancelled.value.url


def test_a_file_whose_job_is_gone_has_failed(visit: Opener) -> None:
    page = visit()
    page.expects_refusal = True
    page.wait_until_ready()
    page.page.route(
        "**/jobs/*",
        lambda route: route.fulfill(
            status=404, content_type="application/json", body='{"error":"no such job","code":"x"}'
        ),
    )
    page.choose_file("letter.txt", f"{TEXT}\n".encode() * 20)
    page.page.wait_for_selector("#files .failed")
    assert page.text_of("#files .failed .hint") == "No such job."


def open_both_ways(visit: Opener) -> Visit:
    """A page where the languages can be swapped; the server has no way back."""
    page = visit()
    page.expects_refusal = True
    page.page.route(
        "**/languages",
        lambda route: route.fulfill(content_type="application/json", body=BOTH_WAYS),
    )
    page.page.reload()
    page.wait_until_ready()
    page.page.select_option("#source", "en")
    return page


def test_swap_keeps_a_text_that_is_not_translated(visit: Opener) -> None:
    page = open_both_ways(visit)
    page.page.click("[aria-controls=options]")
    page.page.uncheck("#options input >> nth=0")
    page.send(TEXT)
    page.page.click("#translate")
    page.page.wait_for_selector("#inspector:not([hidden])")
    page.send(OTHER_TEXT)
    page.page.click("#swap")
    assert page.page.input_value("#target") == "en"
    assert page.page.input_value("#text") == OTHER_TEXT


def test_swap_keeps_a_text_of_which_a_part_is_translated(visit: Opener) -> None:
    page = open_both_ways(visit)
    body = 'event: part\ndata: {"index":0,"text":"Der Hund.","details":[]}\n\n'
    page.page.route(
        "**/translate", lambda route: route.fulfill(content_type="text/event-stream", body=body)
    )
    page.send(f"{TEXT} {OTHER_TEXT}")
    page.page.wait_for_selector("#problem:not([hidden])")
    assert page.text_of("#translation") == "Der Hund."
    page.page.click("#swap")
    assert page.page.input_value("#text") == f"{TEXT} {OTHER_TEXT}"


def test_a_link_to_the_same_text_in_other_languages_is_followed(visit: Opener) -> None:
    page = open_both_ways(visit)
    page.send(TEXT)
    page.page.wait_for_selector("#inspector:not([hidden])")
    fragment = f"#source=de&target=en&text={TEXT.replace(' ', '+')}"
    with page.page.expect_request("**/translate") as sent:
        page.page.evaluate("hash => { location.hash = hash; }", fragment)
    asked = json.loads(sent.value.post_data or "")
    assert (asked["q"], asked["source"], asked["target"]) == (TEXT, "de", "en")
    page.wait_until_idle()


def test_a_link_to_what_is_shown_asks_nothing(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    page.page.click("#share")
    page.page.wait_for_selector("#status:has-text('Link copied')")
    page.page.wait_for_timeout(50)
    assert not any(url.endswith("/translate") for url in asked)


def test_a_stopped_translation_can_be_changed(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    before = page.text_of("#translation")

    def hold_streams(route: "Route") -> None:
        if '"stream":true' not in (route.request.post_data or ""):
            route.continue_()

    page.page.route("**/translate", hold_streams)
    page.page.fill("#text", f"{TEXT} {OTHER_TEXT}")
    page.page.wait_for_selector("body.working")
    page.page.click("#stop")
    page.page.click("#translation .word >> nth=1")
    other = page.page.locator("#choices ul >> nth=-1").locator("button >> nth=0")
    text = other.inner_text()
    assert text != before
    other.click()
    page.page.wait_for_selector(f"#translation:has-text('{text}')")
    kept = json.loads(page.page.evaluate("localStorage.getItem('pellucid.history')"))
    assert [(entry["text"], entry["translation"]) for entry in kept] == [(TEXT, text)]
    page.page.unroute("**/translate")


def test_a_cleared_text_comes_back_with_undo(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    translation = page.text_of("#translation")
    page.page.click("#clear")
    assert page.page.input_value("#text") == ""
    assert page.text_of("#translation") == ""
    assert page.page.is_visible("#examples")
    page.page.keyboard.press("Control+z")
    assert page.page.input_value("#text") == TEXT
    page.page.wait_for_selector("#inspector:not([hidden])")
    assert page.text_of("#translation") == translation
    assert page.page.is_visible("#clear")
    assert not page.page.is_visible("#examples")


def test_a_language_that_cannot_be_checked_is_no_problem_of_the_translation(
    visit: Opener,
) -> None:
    page = visit()
    page.expects_refusal = True
    page.wait_until_ready()
    page.page.select_option("#source", "en")
    page.page.route(
        "**/detect",
        lambda route: route.fulfill(
            status=429, content_type="application/json", body='{"error":"x","code":"rate_limited"}'
        ),
    )
    with page.page.expect_response("**/detect"):
        page.send(TEXT)
    page.wait_until_idle()
    assert page.page.is_visible("#inspector")
    assert not page.page.is_visible("#problem")
    assert page.text_of("#status").startswith("1 sentence")


@pytest.mark.parametrize("how", ["button", "online"])
def test_a_start_that_failed_can_be_tried_again(visit: Opener, how: str) -> None:
    page = visit()
    page.expects_refusal = True
    page.page.route("**/languages", lambda route: route.abort())
    page.page.reload()
    page.page.wait_for_selector("#problem button")
    page.page.fill("#text", TEXT)
    page.page.unroute("**/languages")
    if how == "button":
        page.page.click("#problem button")
    else:
        page.page.evaluate("dispatchEvent(new Event('online'))")
    page.page.wait_for_selector("#inspector:not([hidden])")
    assert not page.page.is_visible("#problem")
    assert page.page.input_value("#text") == TEXT
