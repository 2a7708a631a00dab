"""Images of a tagged file have their alternative texts, within limits."""

import re

import pytest

from tests.service.documents.readers.pdf.made_pdf import IMAGE, Text, pdf

pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
from pypdfium2 import PdfDocument
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

from service.documents.readers.pdf.alternative_texts import MAX_TEXT_CHARS, AlternativeTexts
from service.documents.readers.pdf.reader import read

_FIGURE = f"/Figure << /MCID 0 >> BDC {IMAGE} EMC"


def _tagged(
    alternative: str, *, content: str = _FIGURE, figure: str = "/K 0", is_within: bool = False
) -> bytes:
    """A page with a text and an image, which is a figure of this alternative text, or within."""
    described = f"/Alt <feff{alternative.encode('utf-16-be').hex()}>"
    outer, inner = (described, "") if is_within else ("", described)
    structure = {
        7: "<< /Type /StructTreeRoot /K [8 0 R] /ParentTree << /Nums [0 [9 0 R]] >> >>",
        8: f"<< /S /Sect /P 7 0 R {outer} /K [9 0 R] >>",
        9: f"<< /S /Figure /P 8 0 R /Pg 10 0 R {inner} {figure} >>",
    }
    page: list[Text | str] = [Text(text="The bridge."), content]
    return pdf(page, page_entries="/StructParents 0", structure=structure)


def _alternatives(data: bytes, translations: dict[str, str] | None = None) -> list[str]:
    document = read(data)
    strings = [(translations or {}).get(string.text, string.text) for string in document.strings]
    return re.findall(r'<img [^>]*alt="([^"]*)">', document.write(strings).decode())


def test_an_alternative_text_is_translated() -> None:
    data = _tagged('The "old" bridge & the river')
    assert [string.text for string in read(data).strings][-1] == 'The "old" bridge & the river'
    translations = {'The "old" bridge & the river': 'Die "alte" Brücke & der Fluss'}
    assert _alternatives(data, translations) == ["Die &quot;alte&quot; Brücke &amp; der Fluss"]


def test_a_text_holds_for_what_is_within_its_element() -> None:
    assert _alternatives(_tagged("Dots\nand lines", is_within=True)) == ["Dots and lines"]


@pytest.mark.parametrize(
    "data",
    [
        _tagged("The bridge", content=IMAGE),
        _tagged("The bridge", content=_FIGURE.replace("MCID 0", "MCID 1")),
        _tagged("x" * (MAX_TEXT_CHARS + 1)),
        _tagged("The bridge", figure=""),
        pdf([Text(text="The bridge."), _FIGURE]),
    ],
    ids=["not in marked content", "in another content", "too long", "no content", "not tagged"],
)
def test_other_images_have_none(data: bytes) -> None:
    assert _alternatives(data) == [""]


def test_a_structure_that_contains_itself_comes_to_an_end() -> None:
    assert _alternatives(_tagged("The bridge", figure="/K [9 0 R 0]")) == ["The bridge"]


@pytest.mark.parametrize(("max_elements", "expected"), [(200, "The bridge"), (100, "")])
def test_a_structure_is_read_up_to_a_limit(max_elements: int, expected: str) -> None:
    data = _tagged("The bridge", figure=f"/K [{'1 ' * 100} 0]")
    page = PdfDocument(data)[0]
    (image,) = page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE])
    assert AlternativeTexts(max_elements).of_image(page, image) == expected
