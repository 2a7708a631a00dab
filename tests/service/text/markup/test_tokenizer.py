from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.markup.tokenizer import MarkupToken, read_tokens
from tests.service.text.markup_soup import any_text, tag_soup, well_formed


class _Reference(HTMLParser):
    """The standard library's reading of the same text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.tags: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(("open", tag))

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.append(("single", tag))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(("close", tag))


def tokens(text: str) -> list[tuple[str | None, str]]:
    return [(token.kind, token.text) for token in read_tokens(text, "html")]


@given(any_text | tag_soup, st.sampled_from(["html", "xml"]))
def test_nothing_is_lost(text: str, kind: str) -> None:
    found = list(read_tokens(text, "xml" if kind == "xml" else "html"))
    assert "".join(token.text for token in found) == text
    assert all(token.text for token in found)


@given(tag_soup)
def test_two_texts_never_follow_each_other(text: str) -> None:
    kinds = [token.kind for token in read_tokens(text, "html")]
    assert all(pair != (None, None) for pair in pairwise(kinds))


@given(well_formed)
def test_finds_the_tags_that_the_standard_library_finds(text: str) -> None:
    reference = _Reference()
    reference.feed(text)
    reference.close()
    found = [(token.kind, token.name) for token in read_tokens(text, "html") if token.kind]
    assert found == reference.tags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<b>c", [(None, "a"), ("open", "<b>"), (None, "c")]),
        ("</b >", [("close", "</b >")]),
        ("<br>", [("single", "<br>")]),
        ("<x/>", [("single", "<x/>")]),
        ("<a href=x/>", [("open", "<a href=x/>")]),
        ("<a b='>'c=\">\">", [("open", "<a b='>'c=\">\">")]),
        ("<a href='x>y</a>", [("open", "<a href='x>"), (None, "y"), ("close", "</a>")]),
        ("<a href='x", [("single", "<a href='x")]),
        ("a <b then", [(None, "a <b then")]),
        ("a < b > c", [(None, "a < b > c")]),
        ("I <3 you</3", [(None, "I <3 you</3")]),
        ("<!-- > -- -->a", [("single", "<!-- > -- -->"), (None, "a")]),
        ("<!-->a", [("single", "<!-->"), (None, "a")]),
        ("<!-- a", [("single", "<!-- a")]),
        ("<!DOCTYPE html>", [("single", "<!DOCTYPE html>")]),
        ("<![CDATA[ a > b ]]>", [("single", "<![CDATA[ a > b ]]>")]),
        ("<?php a->b ?>", [("single", "<?php a->b ?>")]),
        ("<? a", [(None, "<? a")]),
        ("<script>'<b>'</script >", [("single", "<script>'<b>'</script >")]),
        ("<SCRIPT>a</sCript>b", [("single", "<SCRIPT>a</sCript>"), (None, "b")]),
        ("<script>a</scripts>", [("single", "<script>a</scripts>")]),
        ("<title>a <b></title>", [("open", "<title>"), (None, "a <b>"), ("close", "</title>")]),
        ("<title><b>", [("open", "<title>"), ("open", "<b>")]),
        ("</>", [("single", "</>")]),
        ("<>", [(None, "<>")]),
        ("<", [(None, "<")]),
    ],
)
def test_reads_html_as_browsers_do(text: str, expected: list[tuple[str | None, str]]) -> None:
    assert tokens(text) == expected


def test_xml_has_no_elements_with_a_meaning() -> None:
    found = list(read_tokens("<script><br></br></script>", "xml"))
    assert [token.kind for token in found] == ["open", "open", "close", "close"]


def test_xml_declarations_may_contain_declarations() -> None:
    doctype = '<!DOCTYPE a [ <!ENTITY b "c"> ] >'
    assert list(read_tokens(doctype, "xml")) == [MarkupToken(kind="single", text=doctype)]


def test_xml_names_begin_with_any_letter() -> None:
    assert [token.name for token in read_tokens("<été/><_a/>", "xml")] == ["été", "_a"]


@pytest.mark.parametrize(
    "piece",
    ["<b>", "<b ", "<", "<!--", "<![CDATA[", "<?", "<!", "</", "<title>", "<script>", "<a b='",
     '<a b=">" ', "<!DOCTYPE [", "<a<a=", "</a ", "&", "="],
)  # fmt: skip
def test_hostile_text_is_read_in_one_go(piece: str) -> None:
    text = piece * 50_000
    for kind in ("html", "xml"):
        found = read_tokens(text, "xml" if kind == "xml" else "html")
        assert sum(len(token.text) for token in found) == len(text)
