from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.markup.document import read_markup, write_markup
from service.text.markup.passage import MarkupOptions, Passage, Tag
from tests.service.text.markup_soup import well_formed

printable = st.text(st.sampled_from("ab <>&;#/!?='\"lt gamp1\n"), max_size=20)


def written(text: str, **fields: tuple[str, ...]) -> str:
    return write_markup([Passage(text=text, spellings=dict(fields))])


@given(printable)
def test_text_never_becomes_markup(text: str) -> None:
    parts = read_markup(write_markup([Passage(text=text)]), MarkupOptions(kind="xml"))
    outside = [part for part in parts if isinstance(part, str)]
    inside = [part for part in parts if isinstance(part, Passage)]
    assert not "".join(outside).strip()
    assert "".join(part.text for part in inside) == text.strip()
    assert not any(part.tags or part.sentinels for part in inside)


@given(well_formed, printable)
def test_what_was_well_formed_stays_so(text: str, translation: str) -> None:
    parts = read_markup(text, MarkupOptions(kind="xml"))
    translated = [
        part if isinstance(part, str) else replace(part, text=translation, tags=())
        for part in parts
    ]
    ElementTree.fromstring(write_markup(translated))


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("a &amp; b", "x & y", "x &amp; y"),
        ("a & b", "x & y", "x & y"),
        ("a & b", "x &lt; y", "x &amp;lt; y"),
        ("a & b", "x & y & z", "x & y &amp; z"),
        ("a &#38; b", "x & y & z", "x &#38; y &#38; z"),
        ("a < b", "x < y", "x < y"),
        ("a < b", "x <y> z", "x &lt;y> z"),
        ("a", "x < y", "x &lt; y"),
        ("&quot;a&quot;", '"x" y "z"', "&quot;x&quot; y &quot;z&quot;"),
        ('"a&quot; b', '"x" "y"', '"x&quot; "y"'),
        ("a&nbsp;b", "x y", "x y"),
        ("a&nbsp;b", "x\xa0y", "x&nbsp;y"),
        ("a\n b c", "w x y z", "w\n x y z"),
        ("a&ndash;b", "x", "x"),
    ],
)
def test_characters_are_spelt_as_in_the_source(
    source: str, translation: str, expected: str
) -> None:
    parts = read_markup(source, MarkupOptions())
    assert [type(part) for part in parts] == [Passage]
    translated = [p if isinstance(p, str) else replace(p, text=translation) for p in parts]
    assert write_markup(translated) == expected


def test_tags_are_written_between_the_characters() -> None:
    tags = (
        Tag(position=0, text="<b>", kind="open", partner=1),
        Tag(position=1, text="</b>", kind="close", partner=0),
        Tag(position=2, text="<e/>", kind="single"),
    )
    assert write_markup(["x", Passage(text="a<", tags=tags)]) == "x<b>a</b>&lt;<e/>"
