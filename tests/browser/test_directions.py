"""Languages that are written from right to left."""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Route

Opener = Callable[..., Visit]
ARABIC = "قال الكلب: مرحبا!"
MOST_PADDING = 40


def answer(route: "Route") -> None:
    """The text as its own translation, word by word."""
    text = json.loads(route.request.post_data or "")["q"]
    words = [list(found.span()) for found in re.finditer(r"\S+", text)]
    sentence = {
        "source": text,
        "translation": text,
        "source_span": [0, len(text)],
        "target_span": [0, len(text)],
        "source_tokens": ["x"],
        "target_tokens": ["x"],
        "finish_reason": "stop",
        "truncated": False,
        "alignment": [{"source": word, "target": word, "weight": 1} for word in words],
    }
    part = json.dumps({"index": 0, "text": text, "details": [sentence]})
    body = f"event: part\ndata: {part}\n\nevent: done\ndata: {{}}\n\n"
    route.fulfill(content_type="text/event-stream", body=body)


@pytest.mark.parametrize("width", [360, 1280])
def test_both_panes_and_the_words_begin_at_the_right(visit: Opener, width: int) -> None:
    page = visit(width=width)
    page.wait_until_ready()
    page.page.route("**/translate", answer)
    page.send(f"{ARABIC}\nThe dog.")
    page.page.wait_for_selector("#inspector:not([hidden])")
    page.open_tab("words")
    direction = "each => getComputedStyle(each).direction"
    assert page.page.locator("#text").evaluate(direction) == "rtl"
    for line in ("#mirror", "#translation", "#panel-words .line:last-child"):
        first, second = boxes(page, line)[:2]
        assert second["right"] <= first["left"] + 1
        assert frame(page, line)["right"] - first["right"] < MOST_PADDING


def test_each_paragraph_has_its_own_direction_in_both_panes(visit: Opener) -> None:
    page = visit()
    page.wait_until_ready()
    page.page.route("**/translate", answer)
    page.send(f"The dog.\n{ARABIC}")
    page.page.wait_for_selector("#inspector:not([hidden])")
    for pane in ("#mirror", "#translation"):
        english, _, arabic = boxes(page, pane)[:3]
        assert english["left"] - frame(page, pane)["left"] < MOST_PADDING
        assert frame(page, pane)["right"] - arabic["right"] < MOST_PADDING


def frame(page: Visit, place: str) -> dict[str, float]:
    """Where something is."""
    found: dict[str, float] = page.page.locator(place).evaluate(
        "each => each.getBoundingClientRect().toJSON()"
    )
    return found


def boxes(page: Visit, line: str) -> list[dict[str, float]]:
    """Where the words of a line are."""
    found: list[dict[str, float]] = page.page.locator(f"{line} .word").evaluate_all(
        "words => words.map((word) => word.getBoundingClientRect().toJSON())"
    )
    return found
