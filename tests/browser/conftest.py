"""A real browser, and a real server of the tiny bundle for it."""

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import pytest

from tests.browser.visit import Visit
from tests.service.api.memory_app import remember
from tests.service.server_process import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Scheme = Literal["light", "dark"]
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MAX_CHARS = 400
REMEMBERED = ("Quick zebras juggle plates.", "Flinke Zebras jonglieren.")
"""What people have translated: like nothing else that a test has translated."""


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("browser")
    memory = folder / "memory.db"
    remember(memory, REMEMBERED)
    given = {"PELLUCID_MAX_TEXT_CHARS": str(MAX_CHARS), "PELLUCID_MEMORY": str(memory)}
    with serving(folder, **given) as server:
        yield f"{server.url}/"


# Of a module, not of the session: while it lives, no other test can start an event loop.
@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the package playwright is not installed"
    )
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=list(_QUIET))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: "Browser", server_url: str) -> Iterator[Callable[..., Visit]]:
    """Opens the page; at the end nothing may have been written to the browser's console."""
    visits: list[Visit] = []

    def open_page(
        path: str = "",
        *,
        scheme: Scheme = "light",
        width: int = 1280,
        locale: str = "en-US",
        has_touch: bool = False,
    ) -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            locale=locale,
            has_touch=has_touch,
            accept_downloads=True,
            permissions=["clipboard-read", "clipboard-write"],
        )
        visits.append(Visit(context.new_page(), server_url + path))
        return visits[-1]

    yield open_page
    for each in visits:
        each.page.context.close()
    assert [message for each in visits for message in each.unexpected()] == []
