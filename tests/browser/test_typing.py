"""The first minute: what happens while one types, on the embedded bundle."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.visit import Visit
from tests.service.server_process import REPOSITORY, serving

if TYPE_CHECKING:
    from playwright.sync_api import Route

Opener = Callable[..., Visit]
ENGLISH = "The old bridge was built in 1885."
GERMAN = "Das Haus ist schon sehr alt."
FRENCH = "Où est la gare, s'il vous plaît ?"


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("embedded")
    with serving(folder, "--bundles", str(REPOSITORY / "bundles")) as server:
        yield f"{server.url}/"


def to_german(page: Visit) -> Visit:
    """Chooses the target, so that the page does not."""
    page.wait_until_ready()
    page.page.select_option("#target", "de")
    return page


def test_typing_is_enough(visit: Opener) -> None:
    page = to_german(visit())
    page.page.focus("#text")
    with page.page.expect_response("**/translate"):
        page.page.keyboard.type(ENGLISH)
    page.page.wait_for_selector("#translation .sentence")
    page.wait_until_idle()
    assert "1885" in page.text_of("#translation")
    assert page.text_of("#source option[value=auto]") == "English (auto)"
    assert page.page.get_attribute("#text", "lang") == "en"
    assert page.page.get_attribute("#translation", "lang") == "de"
    assert page.text_of("#announcer").startswith("Translation: ")


def test_a_key_aborts_the_running_request(visit: Opener) -> None:
    page = to_german(visit())
    held: list[Route] = []

    def hold_the_first(route: "Route") -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    # Not unrouted before the abort: without a route the browser lets the held request go on.
    page.page.route("**/translate", hold_the_first)
    page.page.fill("#text", "The dog")
    while not held:
        page.page.wait_for_timeout(10)
    held_request = held[0].request
    with page.page.expect_event("requestfailed", lambda failed: failed == held_request) as aborted:
        page.page.fill("#text", "The dog sleeps.")
    assert json.loads(aborted.value.post_data or "")["q"] == "The dog"
    page.page.wait_for_selector("#translation .sentence")
    page.page.unroute("**/translate")


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_a_translation_can_be_stopped(visit: Opener, how: str) -> None:
    page = to_german(visit())

    def hold(route: "Route") -> None:
        """Never answers."""

    page.translate(ENGLISH)
    before = page.text_of("#translation")
    page.page.route("**/translate", hold)
    page.page.fill("#text", f"{ENGLISH} It is old.")
    page.page.wait_for_selector("body.working")
    if how == "button":
        page.page.click("#stop")
    else:
        page.page.keyboard.press("Escape")
    page.wait_until_idle()
    assert page.text_of("#status") == "Stopped"
    assert page.text_of("#translation") == before
    page.page.click("#copy")
    page.page.wait_for_selector("#status:text-is('Copied')")
    assert page.page.evaluate("navigator.clipboard.readText()") == before
    page.page.unroute("**/translate")


def test_target_follows_the_text_until_it_is_chosen(visit: Opener) -> None:
    page = visit()
    page.translate(GERMAN)
    assert page.page.input_value("#target") == "en"
    page.page.fill("#text", ENGLISH)
    page.page.wait_for_selector("#target option[value=de]:checked", state="attached")


def test_text_in_the_target_language_says_so_and_offers_to_swap(visit: Opener) -> None:
    page = to_german(visit())
    page.send(GERMAN)
    page.page.wait_for_selector("#notice:not([hidden])")
    assert page.text_of("#notice span") == "This looks like German."
    assert page.text_of("#notice button") == "Translate to English?"
    page.page.click("#notice button")
    page.page.wait_for_selector("#inspector:not([hidden])")
    assert page.page.input_value("#target") == "en"
    assert page.text_of("#translation") != GERMAN
    assert not page.page.is_visible("#notice")


def test_wrong_source_is_noticed(visit: Opener) -> None:
    page = visit()
    page.wait_until_ready()
    page.page.select_option("#source", "de")
    page.send(f"{ENGLISH} She never said that she would come.")
    page.page.wait_for_selector("#notice:not([hidden])")
    assert page.text_of("#notice span") == "This looks like English."
    page.page.click("#notice button")
    page.page.wait_for_selector("#source option[value=en]:checked", state="attached")
    assert page.page.input_value("#target") == "de"


def test_a_language_that_is_not_served_is_named(visit: Opener) -> None:
    page = to_german(visit())
    page.expects_refusal = True
    page.send(FRENCH)
    page.page.wait_for_selector("#notice:not([hidden])")
    said = page.text_of("#notice")
    assert said.startswith("This looks like French (")
    assert said.endswith("French is not translated here; German and English are.")
    assert page.text_of("#translation") == ""


def test_words_light_their_partners_in_the_other_pane(visit: Opener) -> None:
    page = to_german(visit(width=360))
    page.translate(f"She never said that she would come. {ENGLISH}")
    page.page.hover("#translation .word:text-is('Brücke')")
    assert page.texts_of("#mirror .lit") == ["bridge"]
    assert page.texts_of("#translation .lit") == ["Brücke"]
    box = page.page.locator("#mirror .word:text-is('bridge')").bounding_box()
    assert box
    page.page.hover("#status")
    assert page.page.locator(".lit").count() == 0
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.texts_of("#translation .lit") == ["Brücke"]


def test_arrow_keys_light_partners_from_both_sides(visit: Opener) -> None:
    page = to_german(visit())
    page.translate(ENGLISH)
    page.page.focus("#text")
    page.page.evaluate("document.querySelector('#text').setSelectionRange(9, 9)")
    page.page.keyboard.press("ArrowRight")
    page.page.wait_for_selector("#translation .lit:text-is('Brücke')")
    page.page.focus("#translation .word >> nth=0")
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("ArrowRight")
    assert page.texts_of("#mirror .lit") == ["bridge"]


def test_a_tap_lights_partners(visit: Opener) -> None:
    page = to_german(visit(width=360, has_touch=True))
    page.translate(ENGLISH)
    page.page.tap("#translation .word:text-is('Brücke')")
    page.page.wait_for_selector("#choices button")
    assert page.texts_of("#mirror .lit") == ["bridge"]


def test_lit_words_lie_under_their_letters(visit: Opener) -> None:
    page = to_german(visit(width=360))
    page.translate(f"{ENGLISH} She never said that she would come.\n\n{ENGLISH}")
    heights = page.page.evaluate(
        "['#text', '#mirror'].map((s) => document.querySelector(s).scrollHeight)"
    )
    assert abs(heights[0] - heights[1]) <= 1
    styles = page.page.evaluate(
        """["#text", "#mirror", "#mirror .word"].map((selector) => {
            const style = getComputedStyle(document.querySelector(selector));
            return [style.fontFamily, style.fontSize, style.letterSpacing, style.lineHeight];
        })"""
    )
    assert styles[0] == styles[1] == styles[2]


def with_doubt(route: "Route") -> None:
    """Marks the second word of each sentence, and its year, in a reply of the server."""
    events = route.fetch().text().split("\n\n")
    for at, event in enumerate(events):
        if not event.startswith("event: part"):
            continue
        content = json.loads(event.partition("data: ")[2])
        for sentence in content["details"]:
            mark(sentence)
        events[at] = f"event: part\ndata: {json.dumps(content)}"
    route.fulfill(content_type="text/event-stream", body="\n\n".join(events))


def mark(sentence: dict[str, object]) -> None:
    """Adds doubt to a sentence, as the service reports it."""
    text = str(sentence["translation"])
    start = text.index(" ") + 1
    end = text.index(" ", start)
    year = text.index("1885")
    sentence["confidence"] = 0.41
    sentence["words"] = [{"text": text[start:end], "start": start, "end": end, "doubt": True}]
    sentence["checks"] = [
        {
            "name": "number",
            "message": "The year 1885 changed.",
            "source_span": [28, 32],
            "target_span": [year, year + 4],
        },
        {"name": "negation", "message": "Not is lost.", "source_span": [4, 7], "target_span": None},
    ]


@pytest.mark.parametrize(
    ("locale", "doubt", "check"),
    [
        ("en-US", "The model was unsure of this word.", "The year 1885 changed."),
        ("de-DE", "Bei diesem Wort war sich das Modell unsicher.", "Eine Zahl, ein Datum"),
    ],
)
def test_doubt_is_underlined_and_explained(
    visit: Opener, locale: str, doubt: str, check: str
) -> None:
    page = to_german(visit(locale=locale))
    page.page.route("**/translate", with_doubt)
    page.translate(ENGLISH)
    page.page.unroute("**/translate")
    assert page.texts_of("#translation .doubtful") == ["alte"]
    assert page.texts_of("#translation .checked") == ["1885"]
    assert page.page.get_attribute(".doubtful", "title") == doubt
    assert page.texts_of("#mirror .checked") == ["old", "1885"]
    assert page.page.get_attribute("#translation .suspect", "title") in (
        "Not is lost.",
        "Eine Verneinung ist vielleicht verloren gegangen.",
    )
    lines = page.page.evaluate(
        """['.doubtful', '.checked'].map((selector) =>
            getComputedStyle(document.querySelector(selector)).textDecorationStyle)"""
    )
    assert lines == ["dotted", "double"]
    page.page.click("#translation .checked")
    page.page.wait_for_selector("#choices .reason")
    assert page.text_of("#choices .reason").startswith(check)
    page.page.keyboard.press("Escape")  # what it offers is before the tabs
    page.page.wait_for_selector("#choices", state="hidden")
    page.open_tab("details")
    assert "41" in page.text_of(".facts")
    assert page.texts_of(".checks li")[0].startswith(check)


def test_no_doubt_is_shown_where_the_service_reports_none(visit: Opener) -> None:
    page = to_german(visit())
    page.page.route("**/translate", without_doubt)
    page.translate(ENGLISH)
    assert page.page.locator(".doubtful, .checked").count() == 0
    page.page.unroute("**/translate")


def without_doubt(route: "Route") -> None:
    """A reply of an older service."""
    events = route.fetch().text().split("\n\n")
    for at, event in enumerate(events):
        if event.startswith("event: part"):
            content = json.loads(event.partition("data: ")[2])
            for sentence in content["details"]:
                for name in ("confidence", "words", "checks"):
                    sentence.pop(name, None)
            events[at] = f"event: part\ndata: {json.dumps(content)}"
    route.fulfill(content_type="text/event-stream", body="\n\n".join(events))


def test_a_word_can_be_replaced_and_the_rest_follows(visit: Opener) -> None:
    page = to_german(visit())
    page.translate(f"{ENGLISH} She never said that she would come.")
    second = page.texts_of("#translation .sentence")[1]
    page.page.click("#translation .word:text-is('Brücke')")
    page.page.wait_for_selector("#choices button")
    assert page.texts_of("#choices h3") == ["Instead of “Brücke”", "The whole sentence"]
    other = page.page.locator("#choices ul >> nth=0").locator("button >> nth=0")
    word = other.locator("strong").inner_text()
    with page.page.expect_request("**/translate") as sent:
        other.click()
    assert json.loads(sent.value.post_data or "")["prefix"].startswith(f"Die alte {word}")
    page.page.wait_for_selector(f"#translation .word:text-is('{word}')")
    first, *others = page.texts_of("#translation .sentence")
    assert first.startswith(f"Die alte {word} ")
    assert others == [second]
    page.page.hover(f"#translation .word:text-is('{word}')")
    assert page.page.locator("#mirror .lit").count() >= 1


def test_a_sentence_can_be_replaced_by_another_of_its_best(visit: Opener) -> None:
    page = to_german(visit())
    page.translate(ENGLISH)
    page.page.click("#translation .word >> nth=0")
    page.page.wait_for_selector("#choices button")
    best = page.page.locator("#choices ul >> nth=-1").locator("button >> nth=0")
    text = best.inner_text()
    best.click()
    page.page.wait_for_selector(f"#translation:has-text('{text}')")
    assert page.text_of("#translation") == text
    assert not page.page.is_visible("#choices")


def test_files_are_translated_and_fetched(visit: Opener, tmp_path: Path) -> None:
    page = to_german(visit())
    page.choose_file("letter.txt", b"Good morning.\n\nThe end.\n")
    page.page.wait_for_selector("#files a")
    with page.page.expect_download() as started:
        page.page.click("#files a")
    saved = tmp_path / "letter.txt"
    started.value.save_as(saved)
    assert saved.read_text(encoding="utf-8").startswith("Guten Morgen.\n\n")
    page.page.click("#files button")
    assert not page.page.is_visible("#files")


def test_columns_of_a_table_are_chosen(visit: Opener, tmp_path: Path) -> None:
    page = to_german(visit(width=360))
    page.choose_file("parts.csv", b"id,name,note\ndog,Good morning.,The end.\n")
    page.page.wait_for_selector("#files form")
    assert page.text_of("#files form .hint").endswith("First row: id,name,note")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.page.evaluate("document.activeElement.matches('#files input')")
    with page.page.expect_request("**/translate_file"):
        page.page.keyboard.type("name")
        page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#files a")
    with page.page.expect_download() as started:
        page.page.click("#files a")
    saved = tmp_path / "parts.csv"
    started.value.save_as(saved)
    assert saved.read_text(encoding="utf-8") == "id,name,note\ndog,Guten Morgen.,The end.\n"
    page.expects_refusal = True
    page.choose_file("parts.tsv", b"id\tname\n")
    page.page.fill("#files input", "price")
    page.page.click("#files form button")
    page.page.wait_for_selector("#files .failed")
    assert "it has no column 'price'" in page.text_of("#files .failed .hint").lower()


def test_dropped_files_are_taken_and_others_are_refused(visit: Opener) -> None:
    page = to_german(visit())
    page.page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["Good morning."], "a.txt", { type: "text/plain" }));
            data.items.add(new File(["x"], "photo.jpg", { type: "image/jpeg" }));
            const options = { dataTransfer: data, bubbles: true, cancelable: true };
            document.querySelector("#text").dispatchEvent(new DragEvent("drop", options));
        }"""
    )
    page.page.wait_for_selector("#files a")
    assert ".txt" in page.text_of("#files .failed .hint")
    offered = page.page.get_attribute("#file", "accept") or ""
    assert {".txt", ".html", ".srt", ".po", ".md", ".json"} <= set(offered.split(","))


def test_glossary_is_used_and_remembered(visit: Opener) -> None:
    page = to_german(visit())
    page.translate(ENGLISH)
    page.page.click("[aria-controls=glossary]")
    page.page.fill(".terms input >> nth=0", "bridge")
    page.page.fill(".terms input >> nth=1", "Viadukt")
    page.page.keyboard.press("Tab")
    page.page.wait_for_selector("#translation .word:text-is('Viadukt')")
    page.page.reload()
    page.page.wait_for_selector("#translation .word:text-is('Viadukt')")
    page.page.click("[aria-controls=glossary]")
    assert page.page.input_value(".terms input >> nth=1") == "Viadukt"


def test_languages_text_and_options_are_remembered(visit: Opener) -> None:
    page = to_german(visit())
    page.translate(ENGLISH)
    page.page.click("[aria-controls=options]")
    page.page.check("#options input >> nth=1")
    page.wait_until_idle()
    with page.page.expect_request("**/translate") as sent:
        page.page.reload()
    asked = json.loads(sent.value.post_data or "")
    assert (asked["q"], asked["target"], asked["beam_size"]) == (ENGLISH, "de", 1)


def test_a_link_holds_text_and_languages(visit: Opener) -> None:
    page = to_german(visit())
    page.translate(ENGLISH)
    page.page.click("#share")
    page.page.wait_for_selector("#status:has-text('Link copied')")
    address = str(page.page.evaluate("navigator.clipboard.readText()"))
    assert "#source=auto&target=de&text=The+old+bridge" in address
    other = visit(address.rpartition("/")[2])
    other.page.wait_for_selector("#inspector:not([hidden])")
    assert other.page.input_value("#text") == ENGLISH
    assert other.page.input_value("#target") == "de"


def test_history_is_local_and_can_be_cleared(visit: Opener) -> None:
    page = to_german(visit())
    page.translate("She never said that she would come.")
    page.translate(ENGLISH)
    page.page.click("[aria-controls=history]")
    assert page.page.locator(".entries li").count() == 2
    page.page.click(".entries button >> nth=1")
    assert page.page.input_value("#text") == "She never said that she would come."
    page.wait_until_idle()
    page.page.click("#history > button")
    assert page.page.locator(".entries li").count() == 0
    assert page.page.evaluate("localStorage.getItem('pellucid.history')") is None


def test_empty_page_has_three_examples(visit: Opener) -> None:
    page = visit()
    page.page.wait_for_selector("#examples button")
    assert page.page.locator("#examples button").count() == 3
    page.page.click("#examples button >> nth=1")
    page.page.wait_for_selector("#inspector:not([hidden])")
    assert page.page.input_value("#text") == ENGLISH
    assert not page.page.is_visible("#examples")
    page.page.click("#clear")
    page.page.wait_for_selector("#examples button")
    assert page.text_of("#translation") == ""


def test_two_translations_are_compared_side_by_side(visit: Opener) -> None:
    page = to_german(visit())
    page.translate(ENGLISH)
    page.open_attention()
    assert page.page.locator(".legend .swatch").count() >= 5
    assert page.page.get_attribute(".about a", "href") == "https://arxiv.org/abs/1902.10186"
    page.page.click("[data-keeps=compare]")
    page.page.wait_for_selector(".pair")
    first, second = page.texts_of(".pair h3")
    assert first == page.text_of("#translation")
    assert second != first
    assert page.page.locator(".pair .heat-map").count() == 2


def test_a_cell_can_be_pinned(visit: Opener) -> None:
    page = to_german(visit())
    page.translate(ENGLISH)
    page.open_attention()
    page.page.click(".lens button.word >> nth=2")
    pinned = page.text_of("#panel-attention .readout[aria-live]")
    assert "Pinned: “" in pinned
    page.page.hover(".lens button.word >> nth=0")
    assert pinned.partition("Pinned")[2] in page.text_of("#panel-attention .readout[aria-live]")
    page.page.click(".lens button.word >> nth=2")
    assert "Pinned" not in page.text_of("#panel-attention .readout[aria-live]")


@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_inspector_stays_in_view(visit: Opener, width: int) -> None:
    page = to_german(visit(width=width))
    page.page.fill("#text", "\n\n".join([ENGLISH] * 30))
    page.page.wait_for_selector("#inspector:not([hidden])")
    page.open_tab("words")
    page.page.evaluate("scrollTo(0, 0)")
    box = page.page.locator("#panels").bounding_box()
    assert box
    assert box["y"] + box["height"] <= 900 + 1
    assert box["height"] > 100


def test_threads_survive_wrapping(visit: Opener) -> None:
    page = to_german(visit(width=360))
    page.translate("She never said that she would come to the old bridge in the morning.")
    page.open_tab("words")
    assert page.page.locator(".words.wrapped").count() == 1
    page.page.click("#panel-words .line:last-child .word >> nth=-2")
    assert page.page.locator(".threads path").count() >= 1


def test_page_is_german_where_the_browser_is(visit: Opener) -> None:
    page = visit(locale="de-DE")
    page.translate(ENGLISH)
    assert page.page.input_value("#target") == "de"
    assert page.text_of("#translate") == "Übersetzen"
    assert page.page.evaluate("document.documentElement.lang") == "de"
    page.page.select_option("#interface", "en")
    page.page.wait_for_selector("html[lang=en] #translate:text-is('Translate')")
    page.page.reload()
    page.page.wait_for_selector("html[lang=en] #translate:text-is('Translate')")


def test_page_of_the_model_says_how_good_it_is(visit: Opener) -> None:
    page = visit("model")
    page.page.wait_for_selector("table")
    assert page.text_of("h2") == "English → German, German → English"
    assert page.texts_of("h3") == ["Quality", "Limits", "Training data and licences"]
    figures = page.page.locator("table >> nth=0").locator("tbody tr").count()
    assert figures >= 2
    assert "nrefs:1" in page.text_of("main")
    assert "CC BY 4.0" in page.text_of("table >> nth=1")
