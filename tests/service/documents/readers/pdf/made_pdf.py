"""Writes small PDF files, so that a test can say what stands where."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

_FONTS = {"F1": "Helvetica", "F2": "Helvetica-Bold"}
ENCRYPTION = f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'ab' * 32}> /U <{'cd' * 32}> >>"
"""Of a file with an unknown password."""
_TAGGED = "/MarkInfo << /Marked true >> /StructTreeRoot 7 0 R"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text at a place, in points from the lower left corner."""

    text: str
    x: float = 72.0
    y: float = 700.0
    size: float = 11.0
    is_bold: bool = False

    def drawn(self) -> str:
        """The operators that draw it."""
        font = "F2" if self.is_bold else "F1"
        hexadecimal = self.text.encode("cp1252").hex()
        return f"BT /{font} {self.size} Tf 1 0 0 1 {self.x} {self.y} Tm <{hexadecimal}> Tj ET"


_PROSE = "when the river rose above its banks that spring people of every village"
GREY = b"\x80", "/Width 1 /Height 1 /ColorSpace /DeviceGray"
"""Data and entries of an image."""
IMAGE = "q 300 0 0 300 100 300 cm /I Do Q"


def paragraph(*lines: str, y: float = 700.0, x: float = 72.0, size: float = 11.0) -> list[Text]:
    """Lines below one another."""
    return [
        Text(text=text, x=x, y=y - number * size * 1.2, size=size)
        for number, text in enumerate(lines)
    ]


def pdf(
    *pages: Sequence[Text | str],
    title: str = "",
    page_entries: str = "",
    trailer: str = "",
    is_packed: bool = False,
    image: tuple[bytes, str] = GREY,
    structure: Mapping[int, str] | None = None,
) -> bytes:
    """A file of these pages, each of texts or operators; `/I` is the image.

    Args:
        structure: Objects 7 to 9 of a tagged file: the root, and elements below it.
    """
    kids = " ".join(f"{10 + 2 * number} 0 R" for number in range(len(pages)))
    fonts = " ".join(f"/{name} {3 + index} 0 R" for index, name in enumerate(_FONTS))
    objects: dict[int, bytes] = {
        1: f"<< /Type /Catalog /Pages 2 0 R {_TAGGED if structure else ''} >>".encode(),
        **{number: entry.encode() for number, entry in (structure or {}).items()},
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        5: _stream(image[0], f"/Type /XObject /Subtype /Image /BitsPerComponent 8 {image[1]}"),
        6: b"<< /Title <feff%s> >>" % title.encode("utf-16-be").hex().encode(),
    }  # fmt: skip
    for index, name in enumerate(_FONTS.values()):
        objects[3 + index] = (
            f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>"
        ).encode()
    for number, content in enumerate(pages):
        drawn = "\n".join(part if isinstance(part, str) else part.drawn() for part in content)
        packed = zlib.compress(drawn.encode()) if is_packed else drawn.encode()
        filters = "/Filter /FlateDecode" if is_packed else ""
        objects[10 + 2 * number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {11 + 2 * number} 0 R "
            f"/Resources << /Font << {fonts} >> /XObject << /I 5 0 R >> >> {page_entries} >>"
        ).encode()
        objects[11 + 2 * number] = _stream(packed, filters)
    return _file(objects, trailer)


def link(target: str, left: float, bottom: float, right: float, top: float) -> str:
    """An annotation: `target` is a URI, or the number of a page."""
    number = f"/Dest [{10 + 2 * (int(target) - 1)} 0 R /Fit]" if target.isdecimal() else ""
    leads = number or f"/A << /S /URI /URI <{target.encode().hex()}> >>"
    return f"<< /Type /Annot /Subtype /Link /Rect [{left} {bottom} {right} {top}] {leads} >>"


def pdf_of_pages(num_pages: int) -> bytes:
    """Pages of prose, five paragraphs of 90 words each."""
    words = _PROSE.split()
    pages = []
    for page in range(num_pages):
        content: list[Text | str] = []
        for number in range(5):
            text = " ".join(words[(n * n + number + page) % len(words)] for n in range(90))
            y = 780 - 140 * number
            content += paragraph(*wrap(f"Page {page} says that {text}.", 85), y=y)
        pages.append(content)
    return pdf(*pages, is_packed=True)


def _stream(content: bytes, entries: str) -> bytes:
    return f"<< /Length {len(content)} {entries} >>\nstream\n".encode() + content + b"\nendstream"


def _file(objects: Mapping[int, bytes], trailer: str) -> bytes:
    written, places = b"%PDF-1.7\n", {}
    for number, content in sorted(objects.items()):
        places[number] = len(written)
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%d 1\n%010d 00000 n \n" % (n, place) for n, place in places.items())
    end = f"trailer << /Size {max(objects) + 1} /Root 1 0 R /Info 6 0 R {trailer} >>\n".encode()
    start = len(written)
    return (
        written
        + b"xref\n0 1\n0000000000 65535 f \n"
        + table
        + end
        + (b"startxref\n%d\n%%%%EOF\n" % start)
    )
