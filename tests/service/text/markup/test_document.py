from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.markup.document import read_markup, write_markup
from service.text.markup.passage import MarkupOptions, Passage
from tests.service.text.markup_soup import any_text, tag_soup, well_formed

kinds: st.SearchStrategy[Literal["html", "xml"]] = st.sampled_from(["html", "xml"])


def passages(text: str, options: MarkupOptions | None = None) -> list[Passage]:
    parts = read_markup(text, options or MarkupOptions())
    return [part for part in parts if isinstance(part, Passage)]


def texts(text: str, options: MarkupOptions | None = None) -> list[str]:
    return [passage.text for passage in passages(text, options)]


def tags(text: str) -> list[tuple[int, str, int | None]]:
    (passage,) = passages(text)
    return [(tag.position, tag.text, tag.partner) for tag in passage.tags]


@given(any_text | tag_soup | well_formed, kinds)
def test_what_is_not_changed_comes_back_as_it_was(text: str, kind: Literal["html", "xml"]) -> None:
    assert write_markup(read_markup(text, MarkupOptions(kind=kind))) == text


@given(tag_soup | well_formed, kinds)
def test_partners_are_each_others_and_nested(text: str, kind: Literal["html", "xml"]) -> None:
    for passage in passages(text, MarkupOptions(kind=kind)):
        stack: list[int] = []
        for index, tag in enumerate(passage.tags):
            if tag.partner is None:
                continue
            assert passage.tags[tag.partner].partner == index
            if tag.partner > index:
                stack.append(index)
            else:
                assert stack.pop() == tag.partner


@given(tag_soup, kinds)
def test_tags_stand_in_the_text_in_order(text: str, kind: Literal["html", "xml"]) -> None:
    for passage in passages(text, MarkupOptions(kind=kind)):
        positions = [0, *(tag.position for tag in passage.tags), len(passage.text)]
        assert positions == sorted(positions)


@given(tag_soup, kinds)
def test_every_sentinel_is_one_character(text: str, kind: Literal["html", "xml"]) -> None:
    for passage in passages(text, MarkupOptions(kind=kind)):
        for character in passage.sentinels:
            assert passage.text.count(character) == 1
            assert len(passage.spellings[character]) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The house.", ["The house."]),
        ("<p>One</p><p>Two</p>", ["One", "Two"]),
        ("<ul><li>One<li>Two</ul>", ["One", "Two"]),
        ("One<br>two", ["One", "two"]),
        ("<td>a</td><td>b</td>", ["a", "b"]),
        ("a <b>b</b> <span>c</span> d", ["a b c d"]),
        ("<b>One <p>two</p></b>", ["One", "two"]),
        (" \n ", []),
        ("&nbsp;", []),
        ("<p><b></b></p>", []),
        ("<code>x</code>", []),
        ("One\n   two\tthree  four", ["One two three four"]),
        ("Anna &amp; Peter&hellip;", ["Anna & Peter…"]),
        ("gar&shy;den<wbr>house", ["gardenhouse"]),
        ("<script>a</script>b<style>c</style>", ["b"]),
        ("a<!-- b -->c", ["ac"]),
        ("<pre>a</pre>b<textarea>c</textarea>", ["b"]),
        ("<svg><text>a</text></svg>b", ["b"]),
        ("<div translate='no'><p>a</p></div><p>b</p>", ["b"]),
        ("<p class='x notranslate'>a<p>b", ["b"]),
        ("<p class='notranslate-me'>a", ["a"]),
        ("<p title='translate=no'>a", ["a"]),
        ("<p translate=yes>a", ["a"]),
        ("<img alt='a' title='b'>c", ["c"]),
        ("<input placeholder='a' aria-label='b'>", []),
        ("<code>a<p>b</p>", ["b"]),
        ("<title>a <b></title>", ["a \ue000b>"]),
    ],
)
def test_finds_running_text_in_html(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <b>b</b> c", ["a b c"]),
        ("<r><p>a</p><p>b</p></r>", ["a", "b"]),
        ("<r>\n <p>a</p>\n <p>b</p>\n</r>", ["a", "b"]),
        ("<r><p>a</p> <p>b</p></r>", ["a b"]),
        ("<r><p>a <x>b</x> c</p><p>d</p></r>", ["a b c", "d"]),
        ("<r><p>a <x><y>b</y><y>c</y></x></p></r>", ["a bc"]),
        ("<r><br>a</br></r>", ["a"]),
        ("<r><script>a</script></r>", ["a"]),
        ("<r>a\nb</r>", ["a\nb"]),
        ("<r><e/>a</r>", ["a"]),
        ("<r><p>a</p>", ["a"]),
        ("<r><p translate='no'>a</p><p>b</p></r>", ["b"]),
        ("<r its:translate='no'>a</r><r>b</r>", ["b"]),
        ("<r translate='no'>a</r>b", ["\ue000b"]),
        ("<r>&foo;</r>", []),
        ("<r><![CDATA[a]]></r>", []),
    ],
)
def test_finds_running_text_in_xml(text: str, expected: list[str]) -> None:
    assert texts(text, MarkupOptions(kind="xml")) == expected


def test_elements_can_be_ignored() -> None:
    options = MarkupOptions(ignore_tags=frozenset(["x"]))
    assert texts("a <x>b <x>c</x></x> d", options) == ["a \ue000 d"]


def test_elements_can_be_made_to_split() -> None:
    options = MarkupOptions(splitting_tags=frozenset(["span"]))
    assert texts("a <span>b</span> c", options) == ["a", "b", "c"]


def test_elements_can_be_made_not_to_split() -> None:
    options = MarkupOptions(non_splitting_tags=frozenset(["br", "p"]))
    assert texts("a<br>b <p>c</p>", options) == ["ab c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <b>b</b>", [(2, "<b>", 1), (3, "</b>", 0)]),
        ("<b>a</b>", []),
        ("<b>a</b> <i>b</i>", [(0, "<b>", 1), (1, "</b>", 0), (2, "<i>", 3), (3, "</i>", 2)]),
        ("<b>a <i>b</i></b>", [(2, "<i>", 1), (3, "</i>", 0)]),
        (" <b> <i> a</i> b </b>", [(0, "<i>", 1), (2, "</i>", 0)]),
        ("<img>a<img>", []),
        ("a<img>b", [(1, "<img>", None)]),
        ("a <b>b", [(2, "<b>", None)]),
        ("a <b>b<i>c</b>d", [(2, "<b>", 2), (3, "<i>", None), (4, "</b>", 0)]),
        ("a<script>b</script>c", [(1, "<script>b</script>", None)]),
        ("a&shy;b", [(1, "&shy;", None)]),
        ("a<sup>[1]</sup> b", [(1, "<sup>[1]</sup>", None)]),
        ("a<a href=b><sup>*</sup></a> b", [(1, "<a href=b><sup>*</sup></a>", None)]),
        ("a <sup>1</sup> b", [(2, "<sup>", 1), (3, "</sup>", 0)]),
        ("a<sup>b</sup> b", [(1, "<sup>", 1), (2, "</sup>", 0)]),
    ],
)  # fmt: skip
def test_tags_around_the_whole_passage_are_no_part_of_it(
    text: str, expected: list[tuple[int, str, int | None]]
) -> None:
    assert tags(text) == expected


def test_what_is_not_translated_stands_in_the_sentence() -> None:
    (passage,) = passages("Run <code>a <b>b</b></code> or <kbd translate=no>c</kbd>, &house;!")
    assert passage.text == "Run \ue000 or \ue001, \ue002!"
    assert passage.sentinels == "\ue000\ue001\ue002"
    assert passage.spellings["\ue000"] == ("<code>a <b>b</b></code>",)


def test_mail_addresses_are_no_tags() -> None:
    (passage,) = passages("Write to Anna <anna@example.org> today.")
    assert passage.spellings == {"\ue000": ("<anna@example.org>",)}


def test_sentinels_do_not_occur_in_the_text() -> None:
    (passage,) = passages("\ue000 a <code>b</code>")
    assert passage.text == "\ue000 a \ue001"


def test_sentinels_may_run_out() -> None:
    text = "a <code>b</code> " * 6_500 + "a"
    (passage,) = passages(text)
    assert len(passage.sentinels) == 6_400
    assert len(passage.tags) == 100
    assert write_markup(read_markup(text, MarkupOptions())) == text


@pytest.mark.parametrize(
    "text",
    ["<b>" * 50_000 + "a", "<b>a " * 10_000, "<p>a" * 10_000, "<code>a" * 10_000,
     "<div translate=no>" * 50_000, "</b>a" * 10_000, "<a" * 50_000, "a" * 100_000,
     "a" + "\n" * 10_000 + "b", "<b>a</b>" * 10_000, "&amp;" * 50_000,
     "".join(f"&#{i};" for i in range(100, 30_000))],
)  # fmt: skip
def test_hostile_html_comes_back(text: str) -> None:
    assert write_markup(read_markup(text, MarkupOptions())) == text


@pytest.mark.parametrize("text", ["<b>" * 50_000, "<b>a</b>" * 10_000, "<b><![CDATA[" * 10_000])
def test_hostile_xml_comes_back(text: str) -> None:
    assert write_markup(read_markup(text, MarkupOptions(kind="xml"))) == text


def test_a_translation_is_put_where_the_source_was() -> None:
    parts = read_markup("<p>\n The house </p><!-- -->", MarkupOptions())
    translated = [replace(p, text="Das Haus") if isinstance(p, Passage) else p for p in parts]
    assert write_markup(translated) == "<p>\n Das Haus </p><!-- -->"
