"""A person at the page: what one does, in a line each."""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, FilePayload, Page

MOST_TABS = 60
_LONGEST_MS = 15_000
_REFUSED = "Failed to load resource"


class Visit:
    """An open page, and what its browser complained of."""

    def __init__(self, page: "Page", url: str) -> None:
        self.page = page
        self.expects_refusal = False
        self._complaints: list[str] = []
        page.set_default_timeout(_LONGEST_MS)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self._complaints.append(str(error)))
        page.goto(url)

    def unexpected(self) -> list[str]:
        """Complaints, but for a refusal that was provoked."""
        return [
            text
            for text in self._complaints
            if not (self.expects_refusal and text.startswith(_REFUSED))
        ]

    def wait_until_ready(self) -> None:
        """Until the languages are there."""
        self.page.wait_for_selector("body:not(.loading) #target option", state="attached")

    def send(self, text: str) -> None:
        """Type a text, which is enough to have it translated."""
        self.wait_until_ready()
        self.page.fill("#text", text)

    def translate(self, text: str) -> None:
        """Have a text translated and wait for the end."""
        with self.page.expect_response("**/translate"):
            self.send(text)
        self.wait_until_idle()
        self.page.wait_for_selector("#inspector:not([hidden])")

    def wait_until_idle(self) -> None:
        """Until no translation is under way."""
        self.page.wait_for_selector("body:not(.working)")

    def open_tab(self, name: str) -> None:
        """Choose a tab of the inspector and wait for what it holds."""
        self.page.click(f"#tab-{name}")
        self.page.wait_for_selector(f"#panel-{name}:not([hidden]) > *")

    def open_attention(self) -> None:
        """Look at the maps."""
        self.page.click("#tab-attention")
        self.page.wait_for_selector(".stamp")

    def text_of(self, selector: str) -> str:
        """What is to be read there."""
        return self.page.inner_text(selector).strip()

    def texts_of(self, selector: str) -> Sequence[str]:
        """What is to be read in all of these places."""
        return self.page.locator(selector).all_inner_texts()

    def download(self, label: str, folder: Path) -> Path:
        """Press a button of the inspector that gives a file."""
        with self.page.expect_download() as started:
            self.page.click(f".downloads button:text-is('{label}')")
        file = folder / started.value.suggested_filename
        started.value.save_as(file)
        return file

    def choose_file(self, name: str, content: bytes) -> None:
        """Choose a file to be translated."""
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file: FilePayload = {"name": name, "mimeType": media_type, "buffer": content}
        self.page.set_input_files("#file", file)

    def tab_to(self, selector: str, key: str = "Tab") -> None:
        """Press the tab key until something is focused; fails if it never is."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press(key)
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"the tab key does not lead to {selector}")

    def _note(self, message: "ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(message.text)
