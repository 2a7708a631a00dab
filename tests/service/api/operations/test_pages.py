"""The pages work in a network without a way out, and run nothing but files of ours."""

import json
import re

import pytest

from service.api.operations import pages
from tests.service.api.fakes import UpperCaser, app_with, ask

PAGES = ("/", "/docs", "/learn", "/model")
TYPES = {
    "css": "text/css",
    "json": "application/json",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
PAPERS = (
    "https://arxiv.org/abs/1311.2901",
    "https://arxiv.org/abs/1409.0473",
    "https://arxiv.org/abs/1902.10186",
    "https://arxiv.org/abs/2005.00928",
    "https://arxiv.org/abs/2205.11631",
    "https://arxiv.org/abs/2301.12971",
)
"""Linked for people to follow; nothing is loaded from there."""


def static_names() -> list[str]:
    """Every script, style sheet and picture."""
    return sorted(file.name for file in pages.STATIC_FOLDER.iterdir())


@pytest.mark.parametrize("path", PAGES)
def test_page_is_html_and_loads_nothing_from_elsewhere(path: str) -> None:
    reply = ask(app_with(UpperCaser()), "GET", path)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.findall(r"(?:https?:)?//[a-z]", reply.text) == []


@pytest.mark.parametrize("path", PAGES)
def test_page_allows_no_script_and_style_but_files(path: str) -> None:
    reply = ask(app_with(UpperCaser()), "GET", path)
    policy = dict(
        rule.split(" ", 1) for rule in reply.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert re.findall(r"<style|<script(?![^>]*\bsrc=)|\s(?:style|on\w+)=", reply.text) == []


@pytest.mark.parametrize("path", PAGES)
def test_every_address_on_a_page_is_served(path: str) -> None:
    app = app_with(UpperCaser())
    addresses = set(re.findall(r'(?:href|src)="([^"#]+)"', ask(app, "GET", path).text)) - {"./"}
    assert addresses
    for address in addresses:
        assert ask(app, "GET", f"/{address}").status_code in (200, 503), address


@pytest.mark.parametrize("name", static_names())
def test_static_file_has_its_type_and_loads_nothing_from_elsewhere(name: str) -> None:
    app = app_with(UpperCaser())
    reply = ask(app, "GET", f"/static/{name}")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith(TYPES[name.rpartition(".")[2]])
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    outside = set(re.findall(r"https?://[^\"\s]+", reply.text))
    assert outside <= {"http://www.w3.org/2000/svg", *PAPERS}
    for module in re.findall(r'from "\./([^"]+)"', reply.text):
        assert module in static_names()


def test_unchanged_file_is_not_sent_again() -> None:
    app = app_with(UpperCaser())
    first = ask(app, "GET", "/static/style.css")
    again = ask(app, "GET", "/static/style.css", headers={"If-None-Match": first.headers["ETag"]})
    assert first.headers["Cache-Control"] == "no-cache"
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2findex.html", "%2e%2e%2findex.html", "..%5cindex.html", "%00", "."]
)
def test_nothing_but_static_files_is_served(name: str) -> None:
    reply = ask(app_with(UpperCaser()), "GET", f"/static/{name}")
    assert reply.status_code == 404
    assert reply.json()["code"] == "not_found"


def texts_of(code: str) -> dict[str, str | dict[str, str]]:
    """The texts of the page in a language."""
    return dict(json.loads((pages.STATIC_FOLDER / f"text.{code}.json").read_text("utf-8")))


def test_every_language_of_the_page_has_the_same_texts() -> None:
    codes = [name.split(".")[1] for name in static_names() if name.startswith("text.")]
    interface = (pages.STATIC_FOLDER / "interface.js").read_text("utf-8")
    assert sorted(codes) == sorted(
        re.findall(r"(\w+): \"", interface.split("INTERFACES")[1].split("}")[0])
    )
    english = texts_of("en")
    for code in codes:
        other = texts_of(code)
        assert other.keys() == english.keys()
        for key, text in english.items():
            assert names_in(other[key]) == names_in(text), key


def names_in(text: str | dict[str, str]) -> set[str]:
    """The `{names}` that a text has places for."""
    return set(re.findall(r"\{(\w+)\}", json.dumps(text)))


def test_every_text_that_a_page_asks_for_is_there() -> None:
    files = [*pages.STATIC_FOLDER.glob("*.js"), *pages.STATIC_FOLDER.parent.glob("*.html")]
    asked = {
        key
        for file in files
        for key in re.findall(
            r"\bsay\(\"([^\"]+)\"|data-say[\w-]*=\"([^\"]+)\"", file.read_text("utf-8")
        )
        for key in key
        if key
    }
    assert asked - texts_of("en").keys() == set()
    assert len(asked) > 100
