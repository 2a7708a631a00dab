"""The pages work in a network without a way out."""

import re

import pytest

from tests.service.api.fakes import UpperCaser, app_with, ask


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_is_html_and_loads_nothing_from_elsewhere(path: str) -> None:
    reply = ask(app_with(UpperCaser()), "GET", path)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.findall(r"(?:https?:)?//[a-z]", reply.text) == []


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_every_address_on_a_page_is_served(path: str) -> None:
    app = app_with(UpperCaser())
    page = ask(app, "GET", path).text
    addresses = set(re.findall(r'(?:href=|fetch\()"([^"]+)"', page)) - {"data:,", "./"}
    assert addresses
    for address in addresses:
        assert ask(app, "GET", f"/{address}").status_code in (200, 405), address
