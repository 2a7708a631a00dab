import pytest

from service.api.native.attention_formats import preferred

OFFERED = ("application/json", "image/svg+xml", "image/png", "text/html")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("image/*", "image/svg+xml"),
        ("text/html, */*;q=0.1", "text/html"),
        ("image/png;q=0.5, text/html;q=0.9", "text/html"),
        ("image/png ; q=0.5 , text/html ; q=0.4", "image/png"),
        ("*/*, image/svg+xml;q=0.2, application/json;q=0.1", "image/png"),
        ("image/*, image/svg+xml;q=0", "image/png"),
        ("application/json;charset=utf-8", "application/json"),
        ("image/png;level=1;q=0.8, application/json;q=0.7", "image/png"),
        # What is not offered, not wanted or not understood gets the first form, never an error.
        ("application/pdf", "application/json"),
        ("application/json;q=0", "application/json"),
        ("image/png;q=many", "application/json"),
        (",;q=,//", "application/json"),
        ("text/html;q=9", "text/html"),
        ("text/html;q=nan", "application/json"),
    ],
)
def test_the_form_liked_best_is_chosen(accept: str, expected: str) -> None:
    assert preferred(accept, OFFERED) == expected
