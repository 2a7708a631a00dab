"""Pictures of the page to be looked at: `python -m tests.browser.pictures FOLDER`."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.browser.test_typing import with_doubt
from tests.service.server_process import REPOSITORY, serving

TEXT = (
    "The old bridge was built in 1885. It was restored in 1885 and 1990. "
    "The bridge is from 1885, too."
)
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
BUSY = '{"error":"the queue is full","code":"overloaded"}'


def translated(page: Page, text: str = TEXT) -> None:
    """A text and its translation."""
    page.fill("#text", text)
    page.wait_for_selector("#inspector:not([hidden])")
    page.wait_for_selector("body:not(.working)")


def typing(page: Page) -> None:
    """A request that is under way."""
    page.route("**/translate", lambda route: None)
    page.fill("#text", TEXT)
    page.wait_for_selector("body.working")


def pointed(page: Page) -> None:
    """A word and its partner."""
    translated(page)
    page.hover("#translation .word >> nth=2")


def choosing(page: Page) -> None:
    """Other words."""
    translated(page)
    page.click("#translation .word >> nth=2")
    page.wait_for_selector("#choices button")


def doubtful(page: Page) -> None:
    """Doubt, and a check that is explained."""
    page.route("**/translate", with_doubt)
    translated(page)
    page.unroute("**/translate")
    page.click("#translation .checked >> nth=0")
    page.wait_for_selector("#choices button")


def too_long(page: Page) -> None:
    """A text over the limit."""
    page.fill("#text", "word " * 6_100)
    page.wait_for_selector("#count.over")


def busy(page: Page) -> None:
    """429, with the result of an earlier text."""
    translated(page)

    def refuse(route: Route) -> None:
        route.fulfill(
            status=429, headers={"Retry-After": "3"}, content_type="application/json", body=BUSY
        )

    page.route("**/translate", refuse)
    page.fill("#text", f"{TEXT} It is old.")
    page.wait_for_selector("#problem:not([hidden])")


def offline(page: Page) -> None:
    """No connection."""
    translated(page)
    page.context.set_offline(True)
    page.fill("#text", f"{TEXT} It is old.")
    page.wait_for_selector("#problem:not([hidden])")


def files(page: Page) -> None:
    """A translated file, one that is refused, and a table whose columns are asked for."""
    table = ("parts.csv", b"id,name,note\n")
    for name, content in (("letter.txt", b"Good morning.\n"), ("photo.jpg", b"x"), table):
        page.set_input_files("#file", {"name": name, "mimeType": "text/plain", "buffer": content})
    page.wait_for_selector("#files a")


def glossary(page: Page) -> None:
    """A term and what it becomes."""
    translated(page)
    page.click("[aria-controls=glossary]")
    page.fill(".terms input >> nth=0", "bridge")
    page.fill(".terms input >> nth=1", "Viadukt")
    page.keyboard.press("Tab")
    page.wait_for_selector("#translation .word:text-is('Viadukt')")


def attention(page: Page) -> None:
    """The maps of a sentence."""
    translated(page)
    page.click("#tab-attention")
    page.wait_for_selector(".stamp")
    page.hover(".lens button.word >> nth=1")


def what_if(page: Page) -> None:
    """A word that is replaced, and what changes."""
    translated(page)
    page.click("#tab-what-if")
    page.click("#panel-what-if .word:text-is('bridge')")
    page.fill(".editor input", "ship")
    page.wait_for_selector(".beside")


def replay(page: Page) -> None:
    """The search of a sentence at its third step."""
    translated(page)
    page.click("#tab-replay")
    page.focus(".scrubber input")
    for _ in range(2):
        page.keyboard.press("ArrowRight")


def causes(page: Page) -> None:
    """What a word comes from."""
    translated(page)
    page.click("#tab-causes")
    page.click("#panel-causes .shared >> nth=2")


def contrasted(page: Page) -> None:
    """Why this word and not that one."""
    translated(page)
    page.click("#translation .word >> nth=2")
    page.click("#choices .why >> nth=0")
    page.wait_for_selector(".pair-step")


def without_head(page: Page) -> None:
    """A head that is switched off."""
    translated(page)
    page.click("#tab-attention")
    page.click(".stamp >> nth=15")
    page.click("[data-keeps=without]")
    page.wait_for_selector(".difference")
    page.locator(".without").scroll_into_view_if_needed()


def history(page: Page) -> None:
    """Earlier texts."""
    translated(page)
    with page.expect_response("**/translate"):
        page.fill("#text", "Good morning! How are you?")
    page.wait_for_selector("body:not(.working)")
    page.click("[aria-controls=history]")


def empty(page: Page) -> None:
    """Examples."""
    page.wait_for_selector("#examples button")


def model(page: Page) -> None:
    """The page of the model."""
    page.goto(page.url.partition("#")[0] + "model")
    page.wait_for_selector("table")


STATES = (
    empty,
    typing,
    translated,
    pointed,
    choosing,
    doubtful,
    too_long,
    busy,
    offline,
    files,
    glossary,
    attention,
    what_if,
    replay,
    causes,
    contrasted,
    without_head,
    history,
    model,
)


def take(browser: Browser, url: str, folder: Path) -> None:
    """All states, sizes and themes, in English; on the desktop in German, too."""
    for size in SIZES:
        for scheme in ("light", "dark"):
            for locale in ("en-US", "de-DE") if size == "desktop" else ("en-US",):
                for state in STATES:
                    page = opened(browser, url, size, scheme, locale)
                    state(page)
                    page.wait_for_timeout(200)
                    name = f"{state.__name__}-{size}-{scheme}-{locale[:2]}.png"
                    page.screenshot(path=folder / name)
                    page.context.close()


def opened(browser: Browser, url: str, size: str, scheme: str, locale: str) -> Page:
    """The page, ready, with German as its target."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        locale=locale,
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("body:not(.loading) #target option", state="attached")
    page.select_option("#target", "de")
    return page


def main(folder: Path) -> None:
    """Takes all pictures on a server of the embedded bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as work,
        serving(Path(work), "--bundles", str(REPOSITORY / "bundles")) as server,
        sync_playwright() as playwright,
    ):
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        take(browser, f"{server.url}/", folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
