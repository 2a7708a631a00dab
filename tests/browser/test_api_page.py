"""The API page: every operation can be tried with the document's own examples."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.browser.visit import Visit
from tests.service.api.openapi_snapshot import PATH
from tests.service.server_process import serving

Opener = Callable[..., Visit]
API = json.loads(PATH.read_text(encoding="utf-8"))
OPERATIONS = {
    described["operationId"]: (method, path, described)
    for path, methods in API["paths"].items()
    for method, described in methods.items()
}
NEEDS_STORE = ("/v2/document", "/v2/glossaries", "/v3/")
"""Operations that work on what an earlier one stored, or need a store."""
WITHOUT_JOB = sorted(
    name
    for name, (_, path, _) in OPERATIONS.items()
    if "{" not in path and path != "/translate_file" and not path.startswith(NEEDS_STORE)
)


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that takes suggestions, and lets clients write to a translation memory."""
    folder = tmp_path_factory.mktemp("api")
    suggestions = str(folder / "suggestions.tsv")
    memory = {"PELLUCID_MEMORY": str(folder / "memory.db"), "PELLUCID_CLIENT_MEMORY": "true"}
    with serving(folder, PELLUCID_SUGGESTION_FILE=suggestions, **memory) as server:
        yield f"{server.url}/"


def _open(page: Visit, operation: str) -> str:
    """Show an operation; returns the selector of its form."""
    page.page.wait_for_selector(f"#{operation}", state="attached")
    page.page.evaluate(f"document.getElementById('{operation}').open = true")
    return f"#{operation} .try"


def _send(page: Visit, form: str) -> str:
    """Press the button; returns the answer with its status."""
    page.page.click(f"{form} button")
    answer = page.page.locator(f"{form} pre")
    page.page.wait_for_function(
        "selector => /^\\d{3} /.test(document.querySelector(selector).textContent)",
        arg=f"{form} pre",
    )
    return answer.inner_text()


@pytest.mark.parametrize("operation", WITHOUT_JOB)
def test_an_operation_is_tried_with_its_own_example(visit: Opener, operation: str) -> None:
    page = visit("docs")
    form = _open(page, operation)
    types = page.page.locator(f"{form} [aria-label='Type of the body'] option").all_inner_texts()
    for chosen in types or [""]:
        if chosen:
            page.page.select_option(f"{form} [aria-label='Type of the body']", chosen)
        assert _send(page, form).startswith("200 "), (operation, chosen)


def test_a_file_is_translated_watched_fetched_and_removed(visit: Opener) -> None:
    page = visit("docs")
    form = _open(page, "translate_file")
    page.page.fill(f"{form} textarea", "source=en\ntarget=de\nasync=true")
    status, _, body = _send(page, form).partition("\n")
    assert status.startswith("202")
    job = json.loads(body)["id"]
    watched = _open(page, "job")
    page.page.fill(f"{watched} input", job)
    for _ in range(100):
        reply = json.loads(_send(page, watched).partition("\n")[2])
        if reply["status"] == "done":
            break
    assert reply["status"] == "done"
    fetched = _open(page, "download_file")
    page.page.fill(f"{fetched} input", reply["translatedFileUrl"].rpartition("/")[2])
    assert _send(page, fetched).startswith("200")
    removed = _open(page, "cancel_job")
    page.page.fill(f"{removed} input", job)
    assert _send(page, removed).startswith("200")


def test_a_file_is_translated_at_once(visit: Opener) -> None:
    page = visit("docs")
    assert "translatedFileUrl" in _send(page, _open(page, "translate_file"))


def test_a_missing_part_of_the_address_is_asked_for(visit: Opener) -> None:
    page = visit("docs")
    form = _open(page, "job")
    page.page.click(f"{form} button")
    assert page.text_of(f"{form} pre") == "Fill in id."


def test_a_picture_is_shown(visit: Opener) -> None:
    page = visit("docs")
    form = _open(page, "attention")
    page.page.select_option(f"{form} select:below(label)", "image/png")
    assert _send(page, form).startswith("200")
    page.page.wait_for_function("document.querySelector('#attention pre img').naturalWidth > 50")


@pytest.mark.parametrize(
    ("operation", "sent"),
    [("translate", "Bearer secret"), ("deepl_usage", "DeepL-Auth-Key secret"), ("livez", None)],
)
def test_the_key_goes_where_the_operation_takes_it(
    visit: Opener, operation: str, sent: str | None
) -> None:
    page = visit("docs")
    form = _open(page, operation)
    page.page.fill("#key", "secret")
    path = OPERATIONS[operation][1]
    with page.page.expect_request(f"**{path}") as made:
        _send(page, form)
    assert made.value.headers.get("authorization") == sent


def test_every_shape_is_shown_and_linked(visit: Opener) -> None:
    page = visit("docs")
    page.page.wait_for_selector("#shape-Problem", state="attached")
    for name, schema in API["components"]["schemas"].items():
        shown = page.page.locator(f"#shape-{name}").text_content() or ""
        assert [field for field in schema.get("properties", {}) if field not in shown] == []
    links = page.page.locator("#operations a[href^='#shape-']")
    missing = "links => links.filter((link) => !document.querySelector(link.hash)).length"
    assert links.count() > 20
    assert links.evaluate_all(missing) == 0
    _open(page, "translate")
    page.page.click("#translate a[href='#shape-TranslateReply'] >> nth=0")
    assert page.page.locator("#shape-TranslateReply").get_attribute("open") is not None
