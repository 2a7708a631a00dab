"""Paragraphs of OpenDocument: spans, spaces, notes, frames, and what is not translated."""

from collections.abc import Mapping

import pytest

from tests.service.documents.readers.office.reading import strings_of, written

_STYLES = (
    '<style:style style:name="T1" style:family="text"><style:text-properties '
    'officeooo:rsid="001"/></style:style><style:style style:name="T2" style:family="text">'
    '<style:text-properties text:display="none"/></style:style>'
    '<style:style style:name="P9" style:family="paragraph" '
    'style:parent-style-name="Preformatted_20_Text"/>'
)


def _span(text: str, style: str = "B") -> str:
    return f'<text:span text:style-name="{style}">{text}</text:span>'


STRINGS: Mapping[str, tuple[str, list[str]]] = {
    "a paragraph and a heading": (
        "<text:h>Title</text:h><text:p>A &amp; b</text:p>",
        ["Title", "A & b"],
    ),
    "a span": (f"<text:p>Some {_span('bold')} words</text:p>", ["Some <g2>bold</g2> words"]),
    "nothing but a span": (f"<text:p>{_span('All')}</text:p>", ["All"]),
    "spans that cannot be seen": (
        f"{_STYLES}<text:p>{_span('Hel', 'T1')}lo {_span('you', 'T1')}</text:p>",
        ["Hello you"],
    ),
    "a link in a span that cannot be seen": (
        f"{_STYLES}<text:p>{_span('<text:tab/>See <text:a>it</text:a><text:tab/>', 'T1')}</text:p>",
        ["See <g2>it</g2>"],
    ),
    "nothing but a link in such a span": (
        f"{_STYLES}<text:p>{_span('<text:tab/><text:a>it</text:a><text:tab/>', 'T1')}</text:p>",
        ["it"],
    ),
    "hidden text": (f"{_STYLES}<text:p>Seen{_span('hidden', 'T2')}</text:p>", ["Seen"]),
    "the mark of a note behind a span": (
        f"<text:p>{_span('A note')}{_span('<text:a>1</text:a>')}{_span(' more')}</text:p>",
        ['<g1>A note</g1><img id="g4"><g5> more</g5>'],
    ),
    "code of pandoc": (
        f"<text:p>Run {_span('make', 'Source_Text')} now</text:p>",
        ['Run <code id="g2">2</code> now'],
    ),
    "the mark of a note": (
        f"<text:p>A note{_span('<text:a>1</text:a>')} and {_span('2')}</text:p>",
        ['A note<img id="g2"> and <g4>2</g4>'],
    ),
    "code": (
        (
            f'{_STYLES}<text:p text:style-name="P9">kept</text:p><text:p>Run '
            f"{_span('make', 'Source_20_Text')} now</text:p>"
        ),
        ['Run <code id="g2">2</code> now'],
    ),
    "spaces": ('<text:p>a<text:s text:c="3"/>b\n   c</text:p>', ["a   b c"]),
    "a tab and a line break": (
        "<text:p><text:tab/>One<text:tab/>two<text:line-break/>three</text:p>",
        ['One<br id="g2">two<br id="g4">three'],
    ),
    "a note": (
        (
            "<text:p>A word<text:note><text:note-citation>i</text:note-citation><text:note-body>"
            "<text:p>The note</text:p></text:note-body></text:note> more</text:p>"
        ),
        ['A word<img id="g2"> more', "The note"],
    ),
    "a comment on words": (
        (
            '<text:p>A <office:annotation office:name="1"><dc:creator>Kept</dc:creator>'
            "<text:p>Remark</text:p></office:annotation>word"
            '<office:annotation-end office:name="1"/>'
            " more</text:p>"
        ),
        ["A <g2>word</g2> more", "Remark"],
    ),
    "a text box and its description": (
        (
            "<text:p>Here<draw:frame><draw:text-box><text:p>In the box</text:p></draw:text-box>"
            "<svg:title>A box</svg:title></draw:frame></text:p>"
        ),
        ["Here", "In the box", "A box"],
    ),
    "a field": (
        "<text:p>Page <text:page-number>one</text:page-number> of it</text:p>",
        ['Page <code id="g2">2</code> of it'],
    ),
    "bookmarks": (
        '<text:p><text:bookmark-start text:name="a"/>B<text:bookmark-end text:name="a"/></text:p>',
        ["B"],
    ),
    "a table of contents": (
        (
            "<text:index-title-template>Contents</text:index-title-template><text:index-body>"
            "<text:p><text:a>Chapter<text:tab/>3</text:a></text:p></text:index-body>"
        ),
        ["Contents", 'Chapter<br id="g2">3'],
    ),
    "cells": (
        (
            '<table:table-cell office:value-type="float"><text:p>3 eggs</text:p></table:table-cell>'
            '<table:table-cell office:value-type="string" table:formula="of:=[A1]"><text:p>Result'
            '</text:p></table:table-cell><table:table-cell office:value-type="string" '
            'office:string-value="Text"><text:p>Text</text:p></table:table-cell>'
        ),
        ["Text", "Text"],
    ),
    "deleted text": (
        "<text:tracked-changes><text:p>Deleted</text:p></text:tracked-changes><text:p>Now</text:p>",
        ["Now"],
    ),
    "a hidden section": (
        '<text:section text:display="none"><text:p>Hidden</text:p></text:section>',
        [],
    ),
    "a placeholder": (
        (
            '<draw:frame presentation:placeholder="true" xmlns:presentation="urn:oasis:names:tc:'
            'opendocument:xmlns:presentation:1.0"><text:p>Click here</text:p></draw:frame>'
        ),
        [],
    ),
    "ruby": (
        "<text:p><text:ruby><text:ruby-base>漢</text:ruby-base></text:ruby>字</text:p>",
        ["字"],
    ),
    "no letters": ("<text:p>42</text:p><text:p/>", []),
}


@pytest.mark.parametrize("suffix", [".odt", ".odp", ".ods"])
@pytest.mark.parametrize("name", STRINGS)
def test_what_is_translated(name: str, suffix: str) -> None:
    content, strings = STRINGS[name]
    assert strings_of(suffix, content) == strings
    assert written(suffix, content, strings) == content
    for text in ("x", "<g2>", '<img id="g2">a</g2>', ""):
        strings_of(suffix, written(suffix, content, [text] * len(strings), "de"))


def test_spaces_are_written_as_elements() -> None:
    content, _ = STRINGS["spaces"]
    assert written(".odt", content, [" c  a"]) == "<text:p><text:s/>c <text:s/>a</text:p>"


def test_tags_that_have_moved_take_their_words_with_them() -> None:
    content, _ = STRINGS["a note"]
    new = written(".odt", content, ['mehr Wort<img id="g2"> ein', "Die Notiz"])
    note = content[content.index("<text:note>") : content.index("</text:note>")]
    note = note.replace("The note", "Die Notiz")
    assert new == f"<text:p>mehr Wort{note}</text:note> ein</text:p>"


def test_a_span_that_cannot_be_seen_is_divided_where_a_passage_begins() -> None:
    content, _ = STRINGS["a link in a span that cannot be seen"]
    new = written(".odt", content, ["Siehe <g2>es</g2>"])
    tab = _span("<text:tab/>", "T1")
    assert new == f"{_STYLES}<text:p>{tab}Siehe <text:a>es</text:a>{tab}</text:p>"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", 'fo:language="de" fo:country="none" style:language-asian="zh"'),
        ("pt-BR", 'fo:language="pt" fo:country="BR" style:language-asian="zh"'),
        ("ja", 'fo:language="en" fo:country="US" style:language-asian="ja"'),
        ("", 'fo:language="en" fo:country="US" style:language-asian="zh"'),
    ],
)
def test_the_language_of_a_style_is_that_of_its_script(language: str, expected: str) -> None:
    content = '<style:text-properties fo:language="en" fo:country="US" style:language-asian="zh"/>'
    content += '<style:text-properties fo:language="zxx" fo:country="none"/>'
    assert expected in written(".odt", content, [], language)
    assert 'fo:language="zxx" fo:country="none"' in written(".odt", content, [], language)
