"""Words, maps, alternatives and details of a translation; files of what is seen."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import httpx
import pytest

from tests.browser.conftest import REMEMBERED
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Route

Opener = Callable[..., Visit]
TEXT = "The dog sees the house. The cat sees the tree."
NUM_HEADS = 3
NUM_LAYERS = 2


def test_pointing_at_a_word_lights_where_it_came_from(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    page.open_tab("words")
    page.page.hover("#panel-words .line:last-child .word >> nth=1")
    assert page.page.locator("#panel-words .line:last-child .lit").count() == 1
    assert page.page.locator("#panel-words .line:nth-of-type(1) .lit").count() >= 1
    assert page.page.locator(".threads path").count() >= 1
    assert "came from" in page.text_of("#panel-words .readout")


def test_one_goes_from_sentence_to_sentence(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    assert page.text_of("#place") == "Sentence 1 of 2"
    assert page.page.is_disabled("#previous")
    page.page.click("#next")
    assert page.text_of("#place") == "Sentence 2 of 2"
    assert page.page.is_disabled("#next")
    assert page.texts_of("#translation .near") == [page.texts_of("#translation .sentence")[1]]


def test_head_is_switched_by_its_stamp_and_by_the_choosers(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    page.open_attention()
    assert page.page.locator(".stamp").count() == NUM_LAYERS * NUM_HEADS
    pictures = [page.page.inner_html(".heat-map")]
    page.page.click("[aria-label='Layer 2, head 3']")
    assert page.page.get_attribute(".heat-map", "aria-label") == "Cross attention, Layer 2, head 3"
    pictures.append(page.page.inner_html(".heat-map"))
    page.page.select_option("[data-keeps=head]", "0")
    assert page.page.get_attribute(".stamp[aria-pressed=true]", "title") == "layers=[1], heads=[0]"
    pictures.append(page.page.inner_html(".heat-map"))
    assert all(before != after for before, after in pairwise(pictures))


@pytest.mark.parametrize("kind", ["Cross", "Encoder", "Decoder"])
def test_every_kind_of_attention_has_its_maps(visit: Opener, kind: str) -> None:
    page = visit()
    page.translate(TEXT)
    page.open_attention()
    page.page.click(f".segment:text-is('{kind}')")
    page.page.wait_for_selector(f"[aria-label^='{kind} attention']")
    assert page.page.locator(".stamp").count() == NUM_LAYERS * NUM_HEADS


def test_pieces_can_be_pooled_to_words(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    page.open_attention()
    assert "▁The" in page.texts_of(".lens .word")
    page.page.check("[data-keeps=words]")
    page.page.wait_for_selector(".lens .word:text-is('The')")
    assert page.page.evaluate("document.activeElement.dataset.keeps") == "words"
    assert page.texts_of(".lens .line:last-child .word")[:3] == ["The", "dog", "sees"]


def test_pointing_at_a_row_says_where_it_looked(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    page.open_attention()
    page.page.hover(".lens button.word >> nth=1")
    assert "looked most at" in page.text_of("#panel-attention .readout[aria-live]")
    assert page.page.locator(".lens .lit").count() >= 1


def test_picture_and_numbers_can_be_downloaded(visit: Opener, tmp_path: Path) -> None:
    page = visit(scheme="dark")
    page.translate(TEXT)
    page.open_attention()
    page.page.click("[aria-label='Layer 1, head 2']")
    numbers = page.download("JSON", tmp_path)
    assert numbers.name == "attention-cross-layer-1-head-2.json"
    maps = json.loads(numbers.read_text(encoding="utf-8"))["cross"]
    assert [len(layer) for layer in maps] == [NUM_HEADS] * NUM_LAYERS
    assert all(abs(sum(row) - 1) < 1e-4 for layer in maps for head in layer for row in head)
    picture = ElementTree.parse(page.download("SVG", tmp_path)).getroot()
    title = picture.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "Cross attention, Layer 1, head 2"
    assert picture.get("color") == "#0b7285"
    image = page.download("PNG", tmp_path).read_bytes()
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(image[16:20], "big") == 2 * int(float(picture.get("width", "")))


def test_maps_that_come_late_belong_to_the_sentence_that_is_seen(visit: Opener) -> None:
    page = visit()
    page.translate("The dog sees the house. The woman likes a book.")
    page.open_tab("words")
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.page.route("**/attention", hold)
    for num_held, button in enumerate(("#tab-attention", "#next"), start=1):
        page.page.click(button)
        while len(held) < num_held:  # it is told of the request before it may hold it
            page.page.wait_for_timeout(10)
    for route in reversed(held):
        with page.page.expect_response("**/attention"):
            route.continue_()
    page.page.wait_for_selector(".lens .word:has-text('woman')")
    assert page.page.locator(".lens .word:has-text('dog')").count() == 0


def test_details_are_those_of_the_sentence(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    page.open_tab("details")
    assert "The model ended it itself" in page.text_of(".facts")
    assert "natural logarithm" in page.text_of(".facts")
    pieces = page.texts_of("#panel-details .bars .piece")
    assert pieces[-5:] == ["Cut into pieces", "Wait for a turn", "Read", "Write", "Join the pieces"]
    assert "</s>" in pieces


def test_sentence_of_the_memory_is_marked_and_a_similar_one_offered(visit: Opener) -> None:
    source, stored = REMEMBERED
    page = visit()
    page.translate(f"{source} {source.replace('plates', 'plates 2')}")
    assert page.texts_of("#translation .sentence")[0] == stored
    page.open_tab("details")
    assert "the translation memory" in page.text_of(".facts")
    assert page.texts_of("#panel-details .bars .piece")[:1] == ["Cut into pieces"]
    page.page.click("#translation .sentence >> nth=1 >> .word >> nth=0")
    page.page.wait_for_selector("#choices button")
    offered = page.page.locator("#choices ul >> nth=0").locator("button")
    assert page.texts_of("#choices h3")[0] == "From the translation memory"
    assert offered.all_inner_texts() == [f"{stored} 93% alike: {source}"]
    offered.click()
    page.page.wait_for_selector(f"#translation .sentence >> nth=1 >> text={stored}")
    assert not page.page.is_visible("#choices")


def asked(server_url: str, path: str, **fields: object) -> dict[str, Any]:
    """What the server says."""
    found: dict[str, Any] = httpx.post(f"{server_url}{path}", json=fields).json()
    return found


def changes_of(server_url: str, *sources: str) -> list[list[str | None]]:
    """The words of the translations of two sources, side by side."""
    first, second = (
        asked(server_url, "translate", q=source, source="en", target="de")["translatedText"]
        for source in sources
    )
    steps = asked(server_url, "compare", first=first, second=second)["steps"]
    return [[word and word["text"] for word in (s["first"], s["second"])] for s in steps]


def shown_changes(page: Visit, source: str) -> list[list[str | None]]:
    """The same on the page, once it shows this source."""
    page.page.wait_for_selector(f".changed-source:text-is('{source}')")
    texts = page.page.eval_on_selector_all(
        ".beside li", "all => all.map((each) => [...each.children].map((w) => w.textContent))"
    )
    return [[None if word == "∅" else word for word in step] for step in texts]


def test_changed_words_are_translated_and_compared_at_once(visit: Opener, server_url: str) -> None:
    page = visit(has_touch=True, width=320)
    page.translate("The dog sees the house.")
    page.open_tab("what-if")
    page.page.tap("#panel-what-if .word:text-is('dog')")
    assert page.page.evaluate("document.activeElement.localName") != "input"
    page.page.fill(".editor input", "cat")
    both = ["The dog sees the house.", "The cat sees the house."]
    expected = changes_of(server_url, *both)
    assert shown_changes(page, both[1]) == expected
    num_changed = sum(first != second for first, second in expected)
    assert num_changed > 0
    assert page.texts_of(".beside .changed del")
    assert page.text_of(".summary").startswith(f"{num_changed} of {len(expected)} words")

    page.page.locator("#panel-what-if .word:text-is('house')").focus()
    page.page.keyboard.press("Delete")
    expected = changes_of(server_url, both[0], "The cat sees the.")
    assert shown_changes(page, "The cat sees the.") == expected
    assert page.texts_of(".changing del") == ["dog", "house"]
    page.page.keyboard.press("Delete")
    assert shown_changes(page, both[1]) == changes_of(server_url, *both)
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.page.click("[data-action=restore-all]")
    page.page.wait_for_selector(".beside", state="detached")
    assert page.page.locator(".changing :is(del, ins)").count() == 0


def test_search_is_replayed_step_by_step(visit: Opener, server_url: str) -> None:
    page = visit(width=320)
    page.translate("The dog sees the house.")
    page.open_tab("replay")
    fields = {"q": "The dog sees the house.", "source": "en", "target": "de"}
    reply = asked(server_url, "translate", **fields, details=True, search=True)
    search = reply["details"][0]["search"]
    steps = search["steps"]
    page.page.focus(".scrubber input")
    num_open = 1
    for number, step in enumerate(steps, start=1):
        said = page.text_of("#panel-replay .readout")
        assert said.startswith(f"Step {number} of {len(steps)}. {num_open} beginning")
        continued = {c["prefix"] for c in step if c["fate"] in ("kept", "ended")}
        died = re.search(r"(\d+) of them die", said)
        assert int(died[1] if died else 0) == num_open - len(continued)
        num_open = sum(c["fate"] == "kept" for c in step)
        shown = page.page.eval_on_selector_all(
            ".candidates tbody tr", "all => all.map((r) => [...r.cells].map((c) => c.textContent))"
        )
        assert [row[1] for row in shown] == [candidate["token"] for candidate in step]
        for row, candidate in zip(shown, step, strict=True):
            assert float(row[2].strip("%")) == pytest.approx(
                100 * candidate["probability"], abs=0.0501
            )
            assert float(row[3]) == pytest.approx(candidate["log_prob"], abs=0.00501)
            assert ("translation" in row[4]) == candidate["is_result"]
        page.page.keyboard.press("ArrowRight")
    in_beam = [c for step in steps for c in step if c["fate"] in ("kept", "ended", "pruned")]
    tree = page.page.locator(".beam-tree text")
    assert tree.all_text_contents() == [c["token"] for c in in_beam]
    taken = [c["token"] for step in steps for c in step if c["is_result"]]
    assert page.page.locator(".beam-tree text.result").all_text_contents() == taken
    scores = [c["score"] for step in steps for c in step if c["fate"] == "ended"]
    shown_scores = re.findall(r"score (-?[\d.]+);", page.text_of(".finished"))
    assert list(map(float, shown_scores)) == pytest.approx(sorted(scores)[::-1], abs=0.000501)
    assert page.text_of(".finished .result").startswith(page.text_of("#translation"))
    page.page.click(".beam-tree text >> nth=0")
    assert page.page.input_value(".scrubber input") == "1"
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_refused_maps_are_a_sentence_and_can_be_asked_for_again(visit: Opener) -> None:
    page = visit()
    page.expects_refusal = True
    page.translate(TEXT)
    said = '{"error":"the maps have too many cells: ask for layers=[0]","code":"x"}'
    page.page.route("**/attention", lambda route: route.fulfill(status=413, body=said))
    page.page.click("#tab-attention")
    page.page.wait_for_selector("#panel-attention .problem")
    assert page.text_of("#panel-attention .problem") == (
        "The maps have too many cells: ask for layers=[0]."
    )
    page.page.unroute("**/attention")
    page.page.click(".segment:text-is('Cross')")
    page.page.wait_for_selector(".stamp")


def test_text_that_no_model_saw_has_nothing_to_inspect(visit: Opener) -> None:
    page = visit()
    page.translate("12345")
    assert page.text_of("#translation") == "12345"
    page.open_tab("words")
    assert "Nothing here went through the model" in page.text_of("#panel-words")
    page.open_tab("attention")
    page.page.wait_for_selector("#panel-attention .readout")
    assert "Nothing here went through the model" in page.text_of("#panel-attention")
    for name in ("what-if", "replay"):
        page.open_tab(name)
        assert "Nothing here went" in page.text_of(f"#panel-{name}")
    page.open_tab("details")
    page.page.wait_for_selector(".facts")
