"""An interruption loses no text, no translation and no file."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Route

Opener = Callable[..., Visit]
TEXT = "The dog sees the house."


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
