"""Paragraphs of Word: runs, links, fields, notes, text boxes, and what is not translated."""

from collections.abc import Mapping

import pytest

from tests.service.documents.readers.office.reading import strings_of, written

_BOLD = "<w:r><w:rPr><w:b/></w:rPr><w:t>{}</w:t></w:r>"
_RUN = '<w:r><w:t xml:space="preserve">{}</w:t></w:r>'
_BOX = (
    '<w:r><w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml" alt="A box"><v:textbox>'
    "<w:txbxContent><w:p><w:r><w:t>In the box</w:t></w:r></w:p></w:txbxContent></v:textbox>"
    "</v:shape></w:pict></w:r>"
)


def _field(instruction: str, result: str) -> str:
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f"<w:r><w:instrText>{instruction}</w:instrText></w:r>"
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
        f'{result}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def _p(*content: str) -> str:
    return f"<w:p>{''.join(content)}</w:p>"


STRINGS: Mapping[str, tuple[str, list[str]]] = {
    "runs of one look": (
        _p(
            '<w:r w:rsidR="1"><w:t>Hel</w:t></w:r>',
            '<w:proofErr w:type="spellStart"/>',
            '<w:r w:rsidR="2"><w:rPr><w:lang w:val="en-US"/></w:rPr><w:t>lo</w:t></w:r>',
            "<w:r><w:rPr><w:noProof/></w:rPr><w:lastRenderedPageBreak/><w:t> you</w:t></w:r>",
        ),
        ["Hello you"],
    ),
    "bold words": (
        _p(_RUN.format("Some "), _BOLD.format("bold"), _RUN.format(" words &amp; &lt;more>")),
        ["Some <g2>bold</g2> words &amp; &lt;more>"],
    ),
    "most of it bold": (
        _p(_BOLD.format("Nearly everything "), _RUN.format("not")),
        ["Nearly everything <g2>not</g2>"],
    ),
    "a link": (
        _p(_RUN.format("See "), "<w:hyperlink>", _BOLD.format("there"), "</w:hyperlink>"),
        ["See <g2>there</g2>"],
    ),
    "nothing but a link": (_p("<w:hyperlink>", _RUN.format("There"), "</w:hyperlink>"), ["There"]),
    "a link with two looks": (
        _p(
            _RUN.format("See "),
            "<w:hyperlink>",
            _RUN.format("over "),
            _BOLD.format("it"),
            "</w:hyperlink>",
            _RUN.format("!"),
        ),
        ["See <g2>over <g4>it</g4></g2>!"],
    ),
    "a link that is a field": (
        _p(_RUN.format("See "), _field('HYPERLINK "x"', _RUN.format("there")), _RUN.format(".")),
        ["See <g2>there</g2>."],
    ),
    "a computed field": (
        _p(_RUN.format("Page "), _field("PAGE", _RUN.format("seven")), _RUN.format(" of it")),
        ['Page <code id="g2">2</code> of it'],
    ),
    "a field that ends in another paragraph": (
        _p(_field("TOC", _RUN.format("Chapter")).replace('"end"', '"none"'))
        + _p(_RUN.format("Next"), '<w:r><w:fldChar w:fldCharType="end"/></w:r>'),
        ["Chapter", "Next"],
    ),
    "a simple field": (
        _p(_RUN.format("At "), "<w:fldSimple>", _RUN.format("noon"), "</w:fldSimple>"),
        ['At <code id="g2">2</code>'],
    ),
    "a footnote": (
        _p(
            _RUN.format("A word"),
            '<w:r><w:footnoteReference w:id="2"/></w:r>',
            _RUN.format(" with a note"),
        ),
        ['A word<img id="g2"> with a note'],
    ),
    "a comment": (
        _p(
            _RUN.format("A "),
            '<w:commentRangeStart w:id="0"/>',
            _RUN.format("word"),
            '<w:commentRangeEnd w:id="0"/><w:r><w:commentReference w:id="0"/></w:r>',
            _RUN.format(" more"),
        ),
        ['A <g2>word</g2><img id="g5"> more'],
    ),
    "bookmarks that cross": (
        _p(
            '<w:bookmarkStart w:id="1"/>',
            _RUN.format("A"),
            '<w:bookmarkStart w:id="2"/>',
            _RUN.format("B"),
            '<w:bookmarkEnd w:id="1"/>',
            _RUN.format("C"),
            '<w:bookmarkEnd w:id="2"/>',
        ),
        ['A<g2>B<img id="g4">C</g2>'],
    ),
    "a bookmark around a heading": (
        _p('<w:bookmarkStart w:id="1"/>', _RUN.format("Title"), '<w:bookmarkEnd w:id="1"/>'),
        ["Title"],
    ),
    "a tab and a line break": (
        _p("<w:r><w:t>One</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t></w:r>"),
        ['One<br id="g2">two<br id="g4">three'],
    ),
    "a tab before": (_p("<w:r><w:tab/><w:t>One</w:t><w:tab/></w:r>"), ["One"]),
    "hyphens": (
        _p(
            "<w:r><w:t>e</w:t><w:noBreakHyphen/><w:t>mail ad</w:t><w:softHyphen/>"
            "<w:t>dress</w:t></w:r>"
        ),
        ["e\u2011mail address"],
    ),
    "hidden text": (
        _p(_RUN.format("Seen"), "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"),
        ["Seen"],
    ),
    "changes that are tracked": (
        _p(
            _RUN.format("It is "),
            "<w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins>",
            _RUN.format("new"),
            "</w:ins>",
        ),
        ['It is <img id="g2"><g3>new</g3>'],
    ),
    "code": (
        _p('<w:pPr><w:pStyle w:val="SourceCode"/></w:pPr>', _RUN.format("kept"))
        + _p(
            _RUN.format("Run "),
            '<w:r><w:rPr><w:rStyle w:val="VerbatimChar"/></w:rPr><w:t>make</w:t></w:r>',
            _RUN.format(" first"),
        ),
        ['Run <code id="g2">2</code> first'],
    ),
    "a formula": (
        _p(
            _RUN.format("If "),
            '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math">'
            "<m:r><m:t>abc</m:t></m:r></m:oMath>",
            _RUN.format(" holds"),
        ),
        ['If <code id="g2">2</code> holds'],
    ),
    "a text box": (
        _p(_RUN.format("Before "), _BOX, _RUN.format(" behind")),
        ['Before <img id="g2"> behind', "A box", "In the box"],
    ),
    "a control": (
        _p(
            "<w:sdt><w:sdtPr><w:alias/></w:sdtPr><w:sdtContent>",
            _RUN.format("Chosen"),
            "</w:sdtContent></w:sdt>",
            _RUN.format(" by you"),
        ),
        ["<g1>Chosen</g1> by you"],
    ),
    "ruby": (
        _p(
            "<w:r><w:ruby><w:rt><w:r><w:t>kan</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢</w:t>"
            "</w:r></w:rubyBase></w:ruby></w:r>"
        ),
        ["漢"],
    ),
    "no letters": (_p(_RUN.format("42 %")) + _p() + _p(_RUN.format(" ")), []),
}


@pytest.mark.parametrize("name", STRINGS)
def test_what_is_translated(name: str) -> None:
    content, strings = STRINGS[name]
    assert strings_of(".docx", content) == strings
    assert written(".docx", content, strings) == content
    written(".docx", content, ["x"] * len(strings), "de")


def test_a_run_keeps_its_properties_and_one_that_was_divided_is_one() -> None:
    content, _ = STRINGS["runs of one look"]
    expected = _p('<w:r w:rsidR="1"><w:t xml:space="preserve">Hallo du &lt;&amp;</w:t></w:r>')
    assert written(".docx", content, ["Hallo du <&"]) == expected


def test_tags_that_have_moved_take_their_runs_with_them() -> None:
    content, _ = STRINGS["bold words"]
    new = written(".docx", content, ["<g2>Fette</g2> Wörter &amp; &lt;mehr>"])
    assert new == _p(_BOLD.format("Fette").replace("<w:t>", '<w:t xml:space="preserve">'),
                     _RUN.format(" Wörter &amp; &lt;mehr&gt;"))  # fmt: skip


def test_links_notes_and_comments_stay_with_their_words() -> None:
    content, _ = STRINGS["a comment"]
    new = written(".docx", content, ['mehr <g2>Wort</g2><img id="g5"> ein'])
    expected = _p(
        _RUN.format("mehr "),
        '<w:commentRangeStart w:id="0"/>',
        _RUN.format("Wort"),
        '<w:commentRangeEnd w:id="0"/><w:r><w:commentReference w:id="0"/></w:r>',
        _RUN.format(" ein"),
    )
    assert new == expected


def test_a_run_with_a_tab_before_its_text_is_divided() -> None:
    content, _ = STRINGS["a tab before"]
    new = written(".docx", content, ["Eins"])
    assert new == _p("<w:r><w:tab/></w:r>", _RUN.format("Eins"), "<w:r><w:tab/></w:r>")


def test_text_boxes_are_written_within_a_paragraph_that_changes_or_not() -> None:
    content, strings = STRINGS["a text box"]
    new = written(".docx", content, ['<img id="g2"> davor', "Kasten", "Im Kasten"])
    assert new == _p(
        _BOX.replace("A box", "Kasten").replace(
            "<w:r><w:t>In the box</w:t></w:r>", _RUN.format("Im Kasten")
        ),
        _RUN.format(" davor"),
    )
    new = written(".docx", content, [*strings[:2], "Im Kasten"])
    assert new == content.replace("<w:r><w:t>In the box</w:t></w:r>", _RUN.format("Im Kasten"))


@pytest.mark.parametrize(
    "translation",
    ["", "x", "<g2>", "</g2>", "<g2><g2>a</g2>", "</g4><g4>a", '<img id="g2">', "<g999>a</g999>",
     '<img id="g99">', "<b>a</b>", "<g4><g2>a</g4></g2>", "a\0b\x07\ud800c\ufffe", "]]>"],
)  # fmt: skip
@pytest.mark.parametrize("name", STRINGS)
def test_any_translation_gives_a_document(name: str, translation: str) -> None:
    content, strings = STRINGS[name]
    new = written(".docx", content, [translation] * len(strings), "de")
    strings_of(".docx", new)
    for reference in ("footnoteReference", "commentReference", "oMath>", "instrText>PAGE"):
        assert new.count(reference) == content.count(reference)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", '<w:lang w:val="de" w:eastAsia="ja-JP" w:bidi="ar-SA"/>'),
        ("zh-Hant", '<w:lang w:val="en-GB" w:eastAsia="zh-Hant" w:bidi="ar-SA"/>'),
        ("he", '<w:lang w:val="en-GB" w:eastAsia="ja-JP" w:bidi="he"/>'),
        ("", '<w:lang w:val="en-GB" w:eastAsia="ja-JP" w:bidi="ar-SA"/>'),
    ],
)
def test_the_language_of_a_run_is_that_of_its_script(language: str, expected: str) -> None:
    run = '<w:r><w:rPr><w:b/>{}</w:rPr><w:t xml:space="preserve">{}</w:t></w:r>'
    content = _p(run.format('<w:lang w:val="en-GB" w:eastAsia="ja-JP" w:bidi="ar-SA"/>', "A"))
    assert written(".docx", content, ["B"], language) == _p(run.format(expected, "B"))
