"""What a page keeps beside its text: its anchor, its links, its images."""

import base64
import io
import re

import pytest
from PIL import Image as Picture

from tests.service.documents.readers.pdf.made_pdf import IMAGE, Text, link, paragraph, pdf

pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
from service.documents.readers.pdf.images import MAX_IMAGES
from service.documents.readers.pdf.reader import read

Page = list[Text | str]
FULL = "The weather in the valley is nice today, and it will be so tomorrow in all of the"
URI = "https://example.org/a?b=1&c=2"
SMALL = "q 20 0 0 20 {x} {y} cm /I Do Q"


def _written(data: bytes) -> str:
    document = read(data)
    page = document.write([string.text for string in document.strings], "de").decode()
    return page.partition("</style>\n")[2]


def _linked(*annotations: str) -> str:
    return f"/Annots [{' '.join(annotations)}]"


def test_each_page_is_a_section_with_an_anchor() -> None:
    written = _written(pdf(paragraph("First."), [], paragraph("Third.")))
    assert written == (
        '<section id="page-1" aria-label="1">\n<p>First.</p>\n</section>\n'
        '<section id="page-2" aria-label="2">\n</section>\n'
        '<section id="page-3" aria-label="3">\n<p>Third.</p>\n</section>\n'
    )


def test_a_paragraph_over_a_page_is_one_and_stays_where_it_begins() -> None:
    written = _written(pdf(paragraph(FULL, y=100), paragraph("valley.", "Next.", y=700)))
    assert f"<p>{FULL} valley. Next.</p>\n</section>" in written
    assert '<section id="page-2" aria-label="2">\n</section>' in written


def test_a_link_goes_around_its_words_and_is_translated_with_them() -> None:
    text = Text(text="See our <page> for more.", size=10)
    data = pdf([text], page_entries=_linked(link(URI, 110, 695, 146, 712)))
    (string,) = read(data).strings
    assert string.format == "html"
    assert string.text == (
        'See our <a href="https://example.org/a?b=1&amp;c=2">&lt;page&gt;</a> for more.'
    )
    assert f"<p>{string.text}</p>" in _written(data)


def test_a_link_around_all_is_outside_of_the_text() -> None:
    data = pdf(paragraph("1. Chapter"), page_entries=_linked(link("1", 60, 690, 500, 712)))
    (string,) = read(data).strings
    assert (string.text, string.format) == ("Chapter", "text")
    assert '<ol>\n<li value="1"><a href="#page-1">Chapter</a></li>\n</ol>' in _written(data)


def test_a_link_over_two_lines_and_a_divided_word_is_one() -> None:
    lines = paragraph(FULL, "wonder-", "ful valley of the river.", y=700)
    areas = [link(URI, 60, y, 500, y + 12) for y in (683, 670)]
    written = _written(pdf(lines, page_entries=_linked(*areas)))
    assert written.count("<a ") == 1
    assert ">wonderful valley of the river.</a>" in written


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "//x.org", "a\nb"]
)
def test_only_targets_that_are_safe_to_follow_are_links(target: str) -> None:
    data = pdf(paragraph("Hello there."), page_entries=_linked(link(target, 60, 690, 500, 712)))
    assert "<p>Hello there.</p>" in _written(data)


def test_images_stand_between_the_texts_beside_them() -> None:
    content: Page = [
        *paragraph("Above.", y=700),
        SMALL.format(x=72, y=650),
        *paragraph("Below.", y=600),
    ]
    written = _written(pdf(content))
    assert re.findall(r"<(?:p>\w+\.|img)", written) == ["<p>Above.", "<img", "<p>Below."]
    assert 'width="27" alt=""' in written


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_images_stand_so_wherever_the_page_begins(degrees: int) -> None:
    texts = [Text(text="Above.", x=172, y=900), Text(text="Below.", x=172, y=800)]
    content: Page = [texts[0], SMALL.format(x=172, y=850), texts[1]]
    boxes = f"/MediaBox [100 200 695 1042] /Rotate {degrees}"
    turned = [*content] if degrees == 0 else [_turned_page(content, degrees)]
    written = _written(pdf(turned, page_entries=boxes))
    assert re.findall(r"<(?:p>\w+\.|img)", written) == ["<p>Above.", "<img", "<p>Below."]


def _turned_page(content: Page, degrees: int) -> str:
    """What is drawn, turned around the middle of the page and so that all of it is on the page."""
    drawn = "\n".join(part if isinstance(part, str) else part.drawn() for part in content)
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    middle = (397.5, 621)
    place = (
        middle[0] - cosine * middle[0] + sine * middle[1],
        middle[1] - sine * middle[0] - cosine * middle[1],
    )
    return f"q {cosine} {sine} {-sine} {cosine} {place[0]} {place[1]} cm {drawn} Q"


def test_an_image_between_lines_of_a_paragraph_does_not_divide_it() -> None:
    lines: Page = [*paragraph(FULL, "valley that is long.", y=700), SMALL.format(x=80, y=680)]
    assert re.findall(r"<(?:p>.*</p>|img)", _written(pdf(lines))) == [
        f"<p>{FULL} valley that is long.</p>", "<img"
    ]  # fmt: skip


def _picture(kind: str) -> tuple[bytes, Picture.Image]:
    picture = Picture.new("RGB", (16, 8), (200, 30, 30))
    picture.paste((20, 30, 200), (0, 0, 16, 4))
    stream = io.BytesIO()
    picture.save(stream, kind, quality=95)
    return stream.getvalue(), picture


def _decoded(written: str) -> list[Picture.Image]:
    found = re.findall(r'src="data:image/\w+;base64,([^"]+)"', written)
    return [Picture.open(io.BytesIO(base64.b64decode(each))).convert("RGB") for each in found]


def test_a_jpeg_stays_byte_for_byte() -> None:
    data, _ = _picture("JPEG")
    image = data, "/Width 16 /Height 8 /ColorSpace /DeviceRGB /Filter /DCTDecode"
    written = _written(pdf([*paragraph("Text."), "q 32 0 0 16 72 600 cm /I Do Q"], image=image))
    assert f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" in written


@pytest.mark.parametrize("is_jpeg", [True, False])
def test_an_image_upside_down_is_as_it_is_drawn(is_jpeg: bool) -> None:
    data, picture = _picture("JPEG") if is_jpeg else (b"", _picture("JPEG")[1])
    filters = "/Filter /DCTDecode" if is_jpeg else ""
    image = data or picture.tobytes(), f"/Width 16 /Height 8 /ColorSpace /DeviceRGB {filters}"
    flipped = "q 32 0 0 -16 72 616 cm /I Do Q"
    (shown,) = _decoded(_written(pdf([*paragraph("Text."), flipped], image=image)))
    assert shown.getpixel((8, 1))[0] > 150  # type: ignore[index]  # red is above now
    assert shown.getpixel((8, shown.height - 2))[2] > 150  # type: ignore[index]


def test_a_linked_image_is_a_link() -> None:
    content: Page = [*paragraph("Text."), SMALL.format(x=72, y=600)]
    written = _written(pdf(content, page_entries=_linked(link(URI, 72, 600, 92, 620))))
    assert re.search(r'<a href="https://[^"]+"><img [^>]+></a>', written)


def test_a_letterhead_is_there_once_and_others_stay() -> None:
    pages: list[Page] = [[*paragraph(f"Page {n}."), SMALL.format(x=72, y=800)] for n in range(3)]
    assert _written(pdf(*pages)).count("<img") == 1
    moved: list[Page] = [
        [*paragraph(f"Page {n}."), SMALL.format(x=72, y=300 + 30 * n)] for n in range(3)
    ]
    assert _written(pdf(*moved)).count("<img") == 3


def test_images_beyond_the_limits_are_left_out() -> None:
    many = [SMALL.format(x=n % 25 * 20, y=n // 25 * 20) for n in range(MAX_IMAGES + 20)]
    assert _written(pdf([*paragraph("Text."), *many])).count("<img") == MAX_IMAGES
    large = b"\x80", "/Width 60000 /Height 60000 /ColorSpace /DeviceGray"
    written = _written(pdf([*paragraph("Text."), IMAGE], image=large))
    assert "<img" not in written
    assert "<!-- an image is left out" in written


def test_a_thin_image_drawn_large_is_left_out_before_it_is_rendered() -> None:
    """At its own resolution it would have 16 million pixels, of 4,000."""
    thin = bytes(4000), "/Width 1 /Height 4000 /ColorSpace /DeviceGray"
    written = _written(pdf([*paragraph("Text."), "q 100 0 0 101 72 10 cm /I Do Q"], image=thin))
    assert "<!-- an image is left out" in written


def test_cells_of_a_row_are_texts_of_their_own() -> None:
    rows = [
        Text(text=text, x=x, y=y)
        for y, texts in ((700, ("apples", "red fruits")), (686, ("pears", "green fruits")))
        for x, text in zip((72, 250), texts, strict=True)
    ]
    texts = [string.text for string in read(pdf(rows)).strings]
    assert texts == ["apples", "red fruits", "pears", "green fruits"]


def test_a_raised_mark_of_a_note_does_not_end_a_sentence() -> None:
    line = [
        Text(text="A word", x=72), Text(text="1", x=105, y=704, size=6),
        Text(text="with a note and more.", x=110),
    ]  # fmt: skip
    assert [string.text for string in read(pdf(line)).strings] == ["A word1 with a note and more."]


def test_a_file_without_a_title_is_named_by_its_first_heading() -> None:
    document = read(pdf([Text(text="Roses", y=760, size=22), *paragraph("They grow.")]))
    assert [string.text for string in document.strings] == ["Roses", "Roses", "They grow."]
    assert b"<title>Rosen</title>" in document.write(["Rosen", "Rosen", "Sie wachsen."], "de")
