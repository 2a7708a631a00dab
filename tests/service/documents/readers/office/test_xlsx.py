"""Cells: shared and inline strings, runs, formulas, headers."""

from collections.abc import Mapping

import pytest

from service.documents.formats import read_document
from tests.service.documents.readers.office.archives import entries, unzipped, zipped
from tests.service.documents.readers.office.reading import strings_of, written


def _cell(content: str, kind: str = "inlineStr") -> str:
    return f'<row r="1"><c r="A1" t="{kind}">{content}</c></row>'


_RICH = (
    '<is><r><t xml:space="preserve">Some </t></r><r><rPr><b/></rPr><t>bold</t></r>'
    '<r><t xml:space="preserve"> words</t></r></is>'
)
STRINGS: Mapping[str, tuple[str, list[str]]] = {
    "an inline string": (_cell("<is><t>Text &amp; more</t></is>"), ["Text & more"]),
    "runs": (_cell(_RICH), ["Some <g2>bold</g2> words"]),
    "lines": (_cell("<is><t>One\ntwo</t></is>"), ["One\ntwo"]),
    "lines of a run": (
        _cell("<is><r><t>One\ntwo</t></r><r><rPr><b/></rPr><t>\nthree</t></r></is>"),
        ['One<br id="g2">two<g4>\nthree</g4>'],
    ),
    "lines of Windows": (_cell("<is><t>One._x000D_\ntwo</t></is>"), ["One.\r\ntwo"]),
    "escapes alone": (_cell("<is><t>_x000D_\n_x000D_\n</t></is>"), []),
    "another escape": (_cell("<is><t>a_x005F_x000D_</t></is>"), ["a_x005F_x000D_"]),
    "spaces": (_cell('<is><t xml:space="preserve"> a </t></is>'), [" a "]),
    "a guide to pronunciation": (
        _cell("<is><t>漢</t><rPh><t>kan</t></rPh><phoneticPr/></is>"),
        ["漢"],
    ),
    "the text of a formula": (_cell('<f>"a"&amp;B1</f><v>about</v>', "str"), []),
    "a formula": (_cell('<f>IF(A1,"yes","no")</f><v>1</v>', "n"), []),
    "a truth value, an error, a number": (
        _cell("<v>1</v>", "b") + _cell("<v>#NAME?</v>", "e") + _cell("<v>7</v>", "s"),
        [],
    ),
    "an empty string": (_cell("<is><t/></is>") + _cell("<is/>"), []),
    "a header": (
        (
            '<headerFooter><oddHeader>&amp;L&amp;"Arial,Bold"&amp;12Our list&amp;RPage &amp;P of'
            " &amp;N</oddHeader><oddFooter>&amp;C&amp;P</oddFooter></headerFooter>"
        ),
        ['Our list<br id="g2">Page <code id="g4">4</code> of '],
    ),
    "a message": (
        (
            '<dataValidation prompt="Enter a number" promptTitle="Number" error="Wrong"><formula1>'
            '"yes,no"</formula1></dataValidation>'
        ),
        ["Enter a number", "Number", "Wrong"],
    ),
}


@pytest.mark.parametrize("name", STRINGS)
def test_what_is_translated(name: str) -> None:
    content, strings = STRINGS[name]
    assert strings_of(".xlsx", content) == strings
    assert written(".xlsx", content, strings) == content
    for text in ("x", "<g2>", '<br id="g2">a</g2>', ""):
        strings_of(".xlsx", written(".xlsx", content, [text] * len(strings), "de"))


def test_runs_keep_their_properties() -> None:
    new = written(".xlsx", _cell(_RICH), ["<g2>Fette</g2> Wörter"])
    run = '<r><rPr><b/></rPr><t xml:space="preserve">Fette</t></r>'
    assert new == _cell(f'<is>{run}<r><t xml:space="preserve"> Wörter</t></r></is>')


def test_codes_of_a_header_stay() -> None:
    content, _ = STRINGS["a header"]
    text = 'Unsere Liste & mehr<br id="g2">Seite <code id="g4">4</code> von '
    new = written(".xlsx", content, [text])
    assert '&amp;L&amp;"Arial,Bold"&amp;12Unsere' in new
    assert "&amp;RSeite &amp;P von &amp;N<" in new
    assert "<oddFooter>&amp;C&amp;P</oddFooter>" in new


def test_spaces_between_codes_of_a_header_stay() -> None:
    header = '&amp;C&amp;A &amp;"-,Bold"Page &amp;P &amp;D &amp;T'
    content = f"<headerFooter><oddHeader>{header}</oddHeader></headerFooter>"
    assert strings_of(".xlsx", content) == ["Page "]
    assert written(".xlsx", content, ["Seite "]) == content.replace("Page", "Seite")


def _book(others: Mapping[str, tuple[str, str]]) -> bytes:
    """A workbook with further entries, by name: the end of their content type, and they."""
    files = entries(".xlsx")
    kinds = "".join(
        f'<Override PartName="/{name}" ContentType="application/{kind}"/>'
        for name, (kind, _) in others.items()
    )
    types = files["[Content_Types].xml"].replace(b"</Types>", f"{kinds}</Types>".encode())
    contents = {name: content.encode() for name, (_, content) in others.items()}
    return zipped({**files, "[Content_Types].xml": types, **contents})


_NAME = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def test_shared_strings_are_translated_but_for_the_columns_of_tables() -> None:
    shared = f"<sst {_NAME}><si><t>Price</t></si><si><t>Apple</t></si></sst>"
    table = (
        f'<table {_NAME}><tableColumns><tableColumn id="1" name="Price"/></tableColumns></table>'
    )
    kind = "vnd.openxmlformats-officedocument.spreadsheetml."
    data = _book(
        {
            "xl/sharedStrings.xml": (f"{kind}sharedStrings+xml", shared),
            "xl/tables/table1.xml": (f"{kind}table+xml", table),
        }
    )
    document = read_document("a.xlsx", data)
    assert [string.text for string in document.strings] == ["Apple", "Hello there"]
    new = unzipped(document.write(["Apfel", "x"]), "xl/sharedStrings.xml")
    expected = '<t xml:space="preserve">Apfel</t>'
    assert new == shared.replace("<t>Apple</t>", expected)


def test_a_column_whose_name_has_lines_stays() -> None:
    shared = f"<sst {_NAME}><si><t>Price\nof one</t></si><si><t>Sum_x000D_\nof all</t></si></sst>"
    names = ("Price_x000a_of one", "Sum_x000d__x000a_of all")
    columns = "".join(f'<tableColumn name="{name}"/>' for name in names)
    table = f"<table {_NAME}><tableColumns>{columns}</tableColumns></table>"
    kind = "vnd.openxmlformats-officedocument.spreadsheetml."
    data = _book(
        {
            "xl/sharedStrings.xml": (f"{kind}sharedStrings+xml", shared),
            "xl/tables/table1.xml": (f"{kind}table+xml", table),
        }
    )
    assert [s.text for s in read_document("a.xlsx", data).strings] == ["Hello there"]


def test_comments_are_translated() -> None:
    comments = (
        f"<comments {_NAME}><commentList><comment><text><r><t>Old</t></r></text></comment>"
        "</commentList></comments>"
    )
    threaded = (
        '<ThreadedComments xmlns="x"><threadedComment><text>New</text></threadedComment>'
        "</ThreadedComments>"
    )
    data = _book(
        {
            "xl/comments1.xml": ("vnd.a.spreadsheetml.comments+xml", comments),
            "xl/threadedComments/1.xml": ("vnd.ms-excel.threadedcomments+xml", threaded),
        }
    )
    texts = [string.text for string in read_document("a.xlsx", data).strings]
    assert texts == ["Hello there", "Old", "New"]
