"""The smallest documents of each format, and archives of any entries."""

import io
import zipfile
from collections.abc import Mapping

Entries = dict[str, bytes]

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P = "http://schemas.openxmlformats.org/presentationml/2006/main"
_S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
_ODF_NAMES = "".join(
    f' xmlns:{prefix}="{_ODF}{name}:1.0"'
    for prefix, name in {
        "office": "office",
        "text": "text",
        "draw": "drawing",
        "table": "table",
        "style": "style",
        "fo": "xsl-fo-compatible",
        "svg": "svg-compatible",
    }.items()
)
_ODF_NAMES += ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
_ODF_NAMES += ' xmlns:officeooo="http://openoffice.org/2009/office"'
MAIN: Mapping[str, str] = {
    ".docx": "word/document.xml",
    ".pptx": "ppt/slides/slide1.xml",
    ".xlsx": "xl/worksheets/sheet1.xml",
    ".odt": "content.xml",
    ".odp": "content.xml",
    ".ods": "content.xml",
    ".epub": "page.xhtml",
}
"""The entry that holds the text."""
_TYPES: Mapping[str, Mapping[str, str]] = {
    ".docx": {"/word/document.xml": "wordprocessingml.document.main"},
    ".pptx": {
        "/ppt/presentation.xml": "presentationml.presentation.main",
        "/ppt/slides/slide1.xml": "presentationml.slide",
    },
    ".xlsx": {
        "/xl/workbook.xml": "spreadsheetml.sheet.main",
        "/xl/worksheets/sheet1.xml": "spreadsheetml.worksheet",
    },
}
_BODIES: Mapping[str, tuple[str, str]] = {
    ".docx": (f'<w:document xmlns:w="{_W}"><w:body>', "</w:body></w:document>"),
    ".pptx": (f'<p:sld xmlns:p="{_P}" xmlns:a="{_A}"><p:txBody>', "</p:txBody></p:sld>"),
    ".xlsx": (f'<worksheet xmlns="{_S}">', "</worksheet>"),
    ".odt": (f"<office:document-content{_ODF_NAMES}>", "</office:document-content>"),
    ".odp": (f"<office:document-content{_ODF_NAMES}>", "</office:document-content>"),
    ".ods": (f"<office:document-content{_ODF_NAMES}>", "</office:document-content>"),
    ".epub": ('<html xmlns="http://www.w3.org/1999/xhtml"><body>', "</body></html>"),
}
_PARAGRAPHS: Mapping[str, str] = {
    ".docx": "<w:p><w:r><w:t>{}</w:t></w:r></w:p>",
    ".pptx": "<a:p><a:r><a:t>{}</a:t></a:r></a:p>",
    ".xlsx": '<row><c t="inlineStr"><is><t>{}</t></is></c></row>',
    ".odt": "<text:p>{}</text:p>",
    ".odp": "<text:p>{}</text:p>",
    ".ods": "<text:p>{}</text:p>",
    ".epub": "<p>{}</p>",
}
_KINDS = {".odt": "text", ".odp": "presentation", ".ods": "spreadsheet"}
SUFFIXES = tuple(MAIN)


def paragraph(suffix: str, text: str = "Hello there") -> str:
    """A paragraph of a format."""
    return _PARAGRAPHS[suffix].format(text)


def body(suffix: str, content: str) -> str:
    """The entry that holds the text."""
    before, behind = _BODIES[suffix]
    return f"{before}{content}{behind}"


def entries(suffix: str, content: str | None = None) -> Entries:
    """The entries of a document with some content, or with one paragraph."""
    text = body(suffix, paragraph(suffix) if content is None else content).encode()
    return {**_frame(suffix), MAIN[suffix]: text}


def document(suffix: str, content: str | None = None) -> bytes:
    """A document with some content, or with one paragraph."""
    return zipped(entries(suffix, content))


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def unzipped(data: bytes, name: str) -> str:
    """The text of an entry."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return archive.read(name).decode()


def _frame(suffix: str) -> Entries:
    if suffix in _TYPES:
        overrides = "".join(
            f'<Override PartName="{name}" ContentType="application/vnd.openxmlformats-'
            f'officedocument.{kind}+xml"/>'
            for name, kind in _TYPES[suffix].items()
        )
        uri = "http://schemas.openxmlformats.org/package/2006/content-types"
        types = f'<Types xmlns="{uri}">{overrides}</Types>'
        others = {name[1:]: b"<x/>" for name in _TYPES[suffix]}
        return {"[Content_Types].xml": types.encode(), **others}
    if suffix in _KINDS:
        return {"mimetype": f"application/vnd.oasis.opendocument.{_KINDS[suffix]}".encode()}
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="book.opf"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:language>en</dc:language>'
        '</metadata><manifest><item id="a" href="page.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine>'
        "</package>"
    )
    return {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": container.encode(),
        "book.opf": package.encode(),
    }
