"""PDF files that programs do not write: their text is read, and what is written is a page."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from tests.service.documents.readers.pdf.made_pdf import IMAGE, Text, link, paragraph, pdf

pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
from service.documents.readers.pdf.reader import read

TEXT = paragraph("The river rose in the night.")
URI = "https://example.org/"


def _annotated(*annotations: str) -> bytes:
    return pdf(TEXT, page_entries=f"/Annots [{' '.join(annotations)}]")


def _pictured(data: bytes, entries: str, matrix: str = "300 0 0 300 100 300") -> bytes:
    return pdf([*TEXT, f"q {matrix} cm /I Do Q"], image=(data, entries))


_GREY = "/ColorSpace /DeviceGray"
NASTY: dict[str, Callable[[], bytes]] = {
    "a link without area": lambda: _annotated(link(URI, 100, 700, 100, 700)),
    "a link with its corners swapped": lambda: _annotated(link(URI, 500, 712, 60, 690)),
    "a link as large as a million pages": lambda: _annotated(link(URI, -9e9, -9e9, 9e9, 9e9)),
    "3,000 links over one another": lambda: _annotated(*[link(URI, 60, 690, 500, 712)] * 3_000),
    "a link to a page that is not there": lambda: _annotated(link("99", 60, 690, 500, 712)),
    "a link that is very long": lambda: _annotated(link(URI + "x" * 9_000, 60, 690, 500, 712)),
    "a link that ends its attribute": lambda: _annotated(
        link(URI + '"><script>x</script>', 60, 690, 500, 712)
    ),
    "a link to itself": lambda: _annotated("<< /Subtype /Link /Rect [0 0 9 9] /A 10 0 R >>"),
    "annotations that are none": lambda: _annotated("1", "null", "(x)", "[ [ ] ]", "99 0 R"),
    "an image of no pixels": lambda: _pictured(b"", f"/Width 0 /Height 0 {_GREY}"),
    "an image of negative size": lambda: _pictured(b"x", f"/Width -5 /Height -5 {_GREY}"),
    "an image of 2^31 pixels": lambda: _pictured(b"x", f"/Width 65536 /Height 32768 {_GREY}"),
    "an image with too little data": lambda: _pictured(b"x", f"/Width 900 /Height 900 {_GREY}"),
    "an image that is no JPEG": lambda: _pictured(
        b"x" * 99, f"/Width 9 /Height 9 {_GREY} /Filter /DCTDecode"
    ),
    "a JPEG that says it is larger": lambda: _pictured(
        bytes.fromhex("ffd8ffc0000b08ffffffff01011100ffd9"),
        f"/Width 9 /Height 9 {_GREY} /Filter /DCTDecode",
    ),
    "an image of an unknown filter": lambda: _pictured(
        b"x" * 99, f"/Width 9 /Height 9 {_GREY} /Filter /NoDecode"
    ),
    "an image that is its own mask": lambda: _pictured(
        b"x" * 81, f"/Width 9 /Height 9 {_GREY} /SMask 5 0 R"
    ),
    "an image of no width on paper": lambda: _pictured(
        b"x", f"/Width 1 /Height 1 {_GREY}", "0 0 0 0 100 300"
    ),
    "an image at the end of the world": lambda: _pictured(
        b"x", f"/Width 1 /Height 1 {_GREY}", "9 0 0 9 99999999999 -99999999999"
    ),
    "images in the text": lambda: pdf(
        [*TEXT, *["q 9 0 0 9 9 9 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q"] * 200]
    ),
    "a thousand images in one place": lambda: pdf([*TEXT, *[IMAGE] * 1_000]),
    "a page that is its own parent": lambda: pdf(TEXT, page_entries="/Parent 10 0 R"),
    "a page without size": lambda: pdf(TEXT, page_entries="/CropBox [0 0 0 0]"),
    "a page turned by 45 degrees": lambda: pdf(TEXT, page_entries="/Rotate 45"),
    "text of size 0": lambda: pdf([*TEXT, Text(text="Nothing", size=0)]),
    "text far from its page": lambda: pdf([*TEXT, Text(text="Far", x=1e30, y=-1e30)]),
    "words in one place": lambda: pdf([*TEXT, *[Text(text="Here", y=500)] * 500]),
}


class _Tags(HTMLParser):
    """Checks that every element ends where it should."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag not in ("meta", "img", "html"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_there_are_twenty_of_them() -> None:
    assert len(NASTY) >= 20


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_file_is_read(name: str) -> None:
    data = NASTY[name]()
    document = read(data)
    written = document.write([string.text for string in document.strings], "de").decode()
    tags = _Tags()
    tags.feed(written)
    assert not tags.open
    assert "script" not in tags.names
    assert "The river rose in the night." in written
    assert len(written) < 4 * len(data) + 100_000
