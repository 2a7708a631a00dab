"""For keys alone, for screen readers, in both themes."""

from collections.abc import Callable

import pytest

from tests.browser.visit import Visit

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)

Opener = Callable[..., Visit]
TEXT = "The dog sees the house. The cat sees the tree."


def faults(page: Visit) -> list[str]:
    """All findings of axe."""
    found = axe.Axe().run(page.page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_has_no_fault(visit: Opener, scheme: str, width: int, locale: str) -> None:
    page = visit(scheme=scheme, width=width, locale=locale)
    page.page.wait_for_selector("#examples button")
    assert faults(page) == []
    page.translate(TEXT)
    assert faults(page) == []
    page.page.click("#translation .word >> nth=1")
    page.page.wait_for_selector("#choices button")
    assert faults(page) == []
    page.page.keyboard.press("Escape")
    page.open_tab("words")
    page.page.hover("#panel-words .line:last-child .word >> nth=1")
    assert faults(page) == []
    page.open_attention()
    page.page.click(".stamp >> nth=1")
    page.page.hover(".lens button.word >> nth=1")
    assert faults(page) == []
    page.open_tab("what-if")
    page.page.click("#panel-what-if .word >> nth=1")
    page.page.click("[data-action=strike]")
    page.page.wait_for_selector(".beside")
    assert faults(page) == []
    page.open_tab("replay")
    assert faults(page) == []
    page.open_tab("details")
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drawers_have_no_fault(visit: Opener, scheme: str) -> None:
    page = visit(scheme=scheme)
    page.translate(TEXT)
    for name in ("glossary", "history", "options"):
        page.page.click(f"[aria-controls={name}]")
        assert faults(page) == []
    page.choose_file("photo.jpg", b"x")
    page.choose_file("parts.csv", b"id,name\n")
    page.page.wait_for_selector("#files .failed")
    page.page.wait_for_selector("#files form")
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_problem_has_no_fault(visit: Opener, scheme: str) -> None:
    page = visit(scheme=scheme)
    page.expects_refusal = True
    page.translate(TEXT)
    page.page.context.set_offline(True)
    page.send("The cat sees the tree.")
    page.page.wait_for_selector("#problem:not([hidden])")
    assert faults(page) == []


def test_copying_that_is_forbidden_is_announced(visit: Opener) -> None:
    page = visit()
    page.translate(TEXT)
    page.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.page.click("#copy")
    said = "The browser does not allow copying here"
    page.page.wait_for_selector(f"#status:text-is('{said}')")
    assert page.text_of("#announcer") == said


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_of_the_model_has_no_fault(
    visit: Opener, scheme: str, width: int, locale: str
) -> None:
    page = visit("model", scheme=scheme, width=width, locale=locale)
    page.page.wait_for_selector("table")
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_api_page_has_no_fault(visit: Opener, scheme: str) -> None:
    page = visit("docs", scheme=scheme)
    page.page.wait_for_selector("details")
    page.page.evaluate(
        "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
    )
    page.page.click("#translate .try button")
    page.page.wait_for_selector("#translate pre:not([hidden])")
    assert faults(page) == []


def test_faults_are_found(visit: Opener) -> None:
    page = visit()
    page.wait_until_ready()  # the interface sets its texts before
    page.page.evaluate("document.querySelector('label[for=text]').remove()")
    page.page.evaluate("document.querySelector('#text').removeAttribute('placeholder')")
    assert [fault.partition(":")[0] for fault in faults(page)] == ["label"]


def test_keys_alone_reach_everything(visit: Opener) -> None:
    page = visit()
    page.wait_until_ready()
    keyboard = page.page.keyboard
    page.tab_to("#text")
    keyboard.type(TEXT)
    keyboard.press("Control+Enter")
    page.page.wait_for_selector("#inspector:not([hidden])")
    page.tab_to("#translation .word")
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    page.page.wait_for_selector("#choices button:focus")
    keyboard.press("Escape")
    assert page.page.evaluate("document.activeElement.matches('#translation .word')")
    page.tab_to("#tab-words")
    keyboard.press("Enter")
    page.tab_to("#next")
    keyboard.press("Enter")
    assert page.text_of("#place") == "Sentence 2 of 2"
    page.tab_to("#panel-words .word")
    before = page.text_of("#panel-words .readout")
    keyboard.press("ArrowRight")
    assert page.text_of("#panel-words .readout") != before
    page.tab_to("#tab-words", key="Shift+Tab")
    keyboard.press("ArrowRight")
    page.page.wait_for_selector(".stamp")
    page.tab_to(".lens button.word")
    keyboard.press("ArrowRight")
    assert "looked most at" in page.text_of("#panel-attention .readout[aria-live]")
    page.tab_to(".stamp")
    keyboard.press("ArrowDown")
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    assert page.page.get_attribute(".heat-map", "aria-label") == "Cross attention, Layer 2, head 2"
    assert page.page.evaluate("document.activeElement.title") == "layers=[1], heads=[1]"
