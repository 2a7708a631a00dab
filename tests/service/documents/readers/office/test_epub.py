"""Books: pages, navigation, metadata."""

from collections.abc import Mapping

import pytest

from service.documents.errors import DocumentError
from service.documents.formats import read_document
from tests.service.documents.readers.office.archives import entries, unzipped, zipped
from tests.service.documents.readers.office.reading import strings_of, written

STRINGS: Mapping[str, tuple[str, list[str]]] = {
    "inline elements": (
        "<p>Some <b>bold</b> &amp; <i>slanted <u>words</u></i>.</p>",
        ["Some <g2>bold</g2> &amp; <g6>slanted <g8>words</g8></g6>."],
    ),
    "text beside blocks": ("<div>Before<p>Within</p>behind</div>", ["Before", "Within", "behind"]),
    "a link around blocks": ("<a href='x'><p>One</p><p>Two</p></a>", ["One", "Two"]),
    "white space": ("<p>\n  One\n  two\t</p>", [" One two "]),
    "a line break": ("<p>One<br/>two</p>", ['One<br id="g2">two']),
    "an image": (
        '<p>See <img src="a" alt="A red dot"/> here</p>',
        ['See <img id="g2"> here', "A red dot"],
    ),
    "code": (
        "<p>Run <code>make</code> now</p><pre>kept</pre>",
        ['Run <code id="g2">2</code> now'],
    ),
    "a formula": (
        '<p>If <math xmlns="http://www.w3.org/1998/Math/MathML"><mi>x</mi></math> holds</p>',
        ['If <code id="g2">2</code> holds'],
    ),
    "scripts and styles": ("<script>let a;</script><style>p{}</style><p>Text</p>", ["Text"]),
    "what must not be translated": (
        '<p translate="no">Pellucid</p><p>By <span class="notranslate">Acme</span> Ltd</p>',
        ['By <code id="g2">2</code> Ltd'],
    ),
    "hidden text": ('<p hidden="">Hidden</p><nav hidden=""><p>Shown</p></nav>', ["Shown"]),
    "a drawing": (
        '<p>See <svg xmlns="http://www.w3.org/2000/svg"><text>kept</text></svg> here</p>',
        ['See <img id="g2"> here'],
    ),
    "a footnote": (
        '<p>A word<sup><a href="#n">1</a></sup> more</p><aside>The note</aside>',
        ['A word<img id="g2"> more', "The note"],
    ),
    "an anchor": ('<p><a id="x"/>Text</p>', ["Text"]),
    "a table": ("<table><tr><th>Head</th><td>Cell</td><td>3</td></tr></table>", ["Head", "Cell"]),
    "ruby": ("<p><ruby>漢<rt>kan</rt></ruby>字</p>", ['<g1>漢<code id="g3">3</code></g1>字']),
    "a comment": ("<p>One <!-- <b> -->two</p>", ["One two"]),
    "CDATA": ("<p>One <![CDATA[<b>]]></p>", ["One <b>"]),
}


@pytest.mark.parametrize("name", STRINGS)
def test_what_is_translated(name: str) -> None:
    content, strings = STRINGS[name]
    assert strings_of(".epub", content) == strings
    assert written(".epub", content, strings) == content
    for text in ("x", "<g2>", '<img id="g2">a</g2>', ""):
        strings_of(".epub", written(".epub", content, [text] * len(strings), "de"))


def test_tags_that_have_moved_take_their_words_with_them() -> None:
    content, _ = STRINGS["inline elements"]
    new = written(".epub", content, ["<g6><g8>Wörter</g8> schräg</g6> &lt; <g2>fett</g2>"])
    assert new == "<p><i><u>Wörter</u> schräg</i> &lt; <b>fett</b></p>"


def test_entities_of_the_document_type_are_read() -> None:
    page = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "xhtml11.dtd">'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en"><p>a&nbsp;b&eacute;</p></html>'
    )
    document = read_document("a.epub", zipped({**entries(".epub"), "page.xhtml": page.encode()}))
    assert [string.text for string in document.strings] == ["a\xa0bé"]
    new = unzipped(document.write(["c"], "de"), "page.xhtml")
    assert new == page.replace("a&nbsp;b&eacute;", "c").replace('"en"', '"de"')


def test_metadata_and_navigation_are_translated() -> None:
    package = entries(".epub")["book.opf"].decode()
    item = '<item id="n" href="sub%20folder/toc.ncx" media-type="application/x-dtbncx+xml"/>'
    package = package.replace("<manifest>", f"<manifest>{item}")
    package = package.replace("<metadata>", "<metadata><dc:title>A book</dc:title>")
    ncx = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>'
        "One</text></navLabel></navPoint></navMap></ncx>"
    )
    files = {"book.opf": package.encode(), "sub folder/toc.ncx": ncx.encode()}
    document = read_document("a.epub", zipped({**entries(".epub"), **files}))
    assert [string.text for string in document.strings] == ["A book", "Hello there", "One"]
    data = document.write(["Ein Buch", "x", "Eins"], "de")
    assert "<dc:title>Ein Buch</dc:title>" in unzipped(data, "book.opf")
    assert "<dc:language>de</dc:language>" in unzipped(data, "book.opf")
    assert "<text>Eins</text>" in unzipped(data, "sub folder/toc.ncx")


def test_a_protected_book_is_refused_but_not_one_with_protected_fonts() -> None:
    encryption = (
        '<encryption><a><CipherReference xmlns="http://www.w3.org/2001/04/xmlenc#" URI="{}"/></a>'
        "</encryption>"
    )
    name = "META-INF/encryption.xml"
    font = zipped({**entries(".epub"), name: encryption.format("fonts/a.otf").encode()})
    assert read_document("a.epub", font).strings
    page = zipped({**entries(".epub"), name: encryption.format("page.xhtml").encode()})
    with pytest.raises(DocumentError, match="protected"):
        read_document("a.epub", page)
