"""Slides: runs, fields, placeholders, alternative texts."""

from collections.abc import Mapping

import pytest

from service.documents.formats import read_document
from tests.service.documents.readers.office.archives import body, entries, unzipped, zipped
from tests.service.documents.readers.office.reading import strings_of, written

_RUN = "<a:r><a:rPr{}/><a:t>{}</a:t></a:r>"


def _p(*content: str) -> str:
    return f"<a:p>{''.join(content)}</a:p>"


STRINGS: Mapping[str, tuple[str, list[str]]] = {
    "runs of one look": (
        _p(_RUN.format(' lang="en-US" dirty="0"', "Hel"), _RUN.format(' lang="de" err="1"', "lo")),
        ["Hello"],
    ),
    "bold words": (
        _p(
            _RUN.format("", "Some "),
            _RUN.format(' b="1"', "bold"),
            _RUN.format("", " &amp; &lt;"),
        ),
        ["Some <g2>bold</g2> &amp; &lt;"],
    ),
    "properties around": (
        _p('<a:pPr lvl="1"/>', _RUN.format("", "Point"), '<a:endParaRPr lang="en"/>'),
        ["Point"],
    ),
    "a link": (
        _p(
            _RUN.format("", "See "),
            '<a:r><a:rPr><a:hlinkClick r:id="r" xmlns:r="x"/></a:rPr><a:t>it</a:t></a:r>',
            _RUN.format("", " now"),
        ),
        ["See <g2>it</g2> now"],
    ),
    "a line break": (
        _p(_RUN.format("", "One"), "<a:br><a:rPr/></a:br>", _RUN.format("", "two")),
        ['One<br id="g2">two'],
    ),
    "the number of a slide": (
        _p(_RUN.format("", "Slide "), '<a:fld type="slidenum"><a:t>n</a:t></a:fld>'),
        ['Slide <code id="g2">2</code>'],
    ),
    "nothing but a field": (_p('<a:fld type="datetime"><a:t>May</a:t></a:fld>'), []),
    "a formula": (
        _p(
            _RUN.format("", "If "),
            '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/'
            'markup-compatibility/2006"><mc:Choice><m>x</m></mc:Choice></mc:AlternateContent>',
            _RUN.format("", " holds"),
        ),
        ['If <code id="g2">2</code> holds'],
    ),
    "an alternative text": (
        (
            '<p:pic><p:nvPicPr><p:cNvPr id="1" name="K" descr="A &quot;red&quot; dot" title="T"/>'
            "</p:nvPicPr></p:pic>"
        ),
        ['A "red" dot', "T"],
    ),
    "a table": (
        (
            f"<a:tbl><a:tr><a:tc><a:txBody>{_p(_RUN.format('', 'Cell'))}</a:txBody></a:tc></a:tr>"
            "</a:tbl>"
        ),
        ["Cell"],
    ),
    "a run without text": (_p("<a:r><a:rPr/></a:r>", _RUN.format("", "Text")), ["Text"]),
    "an empty text": (_p("<a:r><a:t/></a:r>", _RUN.format("", "Text")), ["Text"]),
    "no letters": (_p(_RUN.format("", "2026")) + _p(), []),
}


@pytest.mark.parametrize("name", STRINGS)
def test_what_is_translated(name: str) -> None:
    content, strings = STRINGS[name]
    assert strings_of(".pptx", content) == strings
    assert written(".pptx", content, strings) == content
    for text in ("x", "<g2>", '<img id="g2">a</g2>', ""):
        strings_of(".pptx", written(".pptx", content, [text] * len(strings), "de"))


def test_runs_of_one_look_become_the_first_one() -> None:
    content, _ = STRINGS["runs of one look"]
    expected = _p(_RUN.format(' lang="de" dirty="0"', "Hallo &amp; du"))
    assert written(".pptx", content, ["Hallo & du"], "de") == expected


def test_tags_that_have_moved_take_their_runs_with_them() -> None:
    content, _ = STRINGS["a link"]
    new = written(".pptx", content, ["<g2>Es</g2> siehe"])
    assert new.index("hlinkClick") < new.index("<a:t>Es</a:t>") < new.index("<a:t> siehe</a:t>")


def test_alternative_texts_are_escaped() -> None:
    content, _ = STRINGS["an alternative text"]
    new = written(".pptx", content, ["\"'<&>\nä", "T"])
    assert 'descr="&quot;&#39;&lt;&amp;&gt;&#10;ä"' in new
    assert strings_of(".pptx", new)[0] == "\"'<&>\nä"


def test_of_a_layout_only_what_is_no_placeholder() -> None:
    shape = "<p:sp><p:nvSpPr><p:nvPr>{}</p:nvPr></p:nvSpPr><p:txBody>{}</p:txBody></p:sp>"
    files = entries(".pptx", shape.format("<p:ph/>", _p(_RUN.format("", "Click here"))) +
                    shape.format("", _p(_RUN.format("", "Our company"))))  # fmt: skip
    types = files["[Content_Types].xml"].replace(b"ml.slide+xml", b"ml.slideLayout+xml")
    data = zipped({**files, "[Content_Types].xml": types})
    assert [string.text for string in read_document("a.pptx", data).strings] == ["Our company"]


def test_the_language_of_text_that_names_none_is_that_of_the_presentation() -> None:
    files = entries(".pptx", _p(_RUN.format("", "Hello")))
    name = "ppt/presentation.xml"
    presentation = body(".pptx", '<p:defaultTextStyle><a:defRPr lang="en"/></p:defaultTextStyle>')
    document = read_document("a.pptx", zipped({**files, name: presentation.encode()}))
    assert '<a:defRPr lang="de"/>' in unzipped(document.write(["Hallo"], "de"), name)
