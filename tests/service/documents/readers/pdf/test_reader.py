"""PDF: the text as a web page with its headings, paragraphs and lists."""

import random
from html.parser import HTMLParser

import pytest

from service.documents.errors import DocumentError
from tests.service.documents.readers.pdf.made_pdf import ENCRYPTION, IMAGE, Text, paragraph, pdf
from tests.service.growth import assert_linear

pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
from service.documents.readers.pdf.reader import read

FULL = "The weather in the valley is nice today, and it will be so tomorrow in all of the"


class _Elements(HTMLParser):
    """Collects the elements of a page with their text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        value = dict(attrs).get("value")
        self.found.append((f"{tag} {value}" if value else tag, ""))

    def handle_data(self, data: str) -> None:
        if self.found and data.strip():
            tag, text = self.found[-1]
            self.found[-1] = (tag, text + data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data.strip())


def _page(data: bytes, language: str = "de") -> _Elements:
    document = read(data)
    parser = _Elements()
    parser.feed(document.write([s.text for s in document.strings], language).decode())
    return parser


def _elements(data: bytes) -> list[tuple[str, str]]:
    """What stands in the page behind its head."""
    found = _page(data).found
    start = next(number for number, (tag, _) in enumerate(found) if tag == "style") + 1
    return [each for each in found[start:] if each[0] != "section"]


def test_lines_are_a_paragraph_and_a_larger_font_is_a_heading() -> None:
    content = [
        Text(text="Title", y=780, size=24),
        Text(text="Chapter", y=740, size=16),
        *paragraph(FULL, FULL.lower(), "end of it.", y=700),
        *paragraph(FULL, "and another paragraph.", y=640),
        Text(text="Bold and short", y=600, is_bold=True),
        *paragraph("Text.", y=580),
    ]
    assert _elements(pdf(content)) == [
        ("h1", "Title"),
        ("h2", "Chapter"),
        ("p", f"{FULL} {FULL.lower()} end of it."),
        ("p", f"{FULL} and another paragraph."),
        ("h3", "Bold and short"),
        ("p", "Text."),
    ]


def test_paragraphs_of_a_line_each_stay_apart() -> None:
    """As ReportLab sets them: half a line between, and no other line to compare with."""
    lines = [Text(text="The river rose.", y=700), Text(text="People went to it.", y=680)]
    assert _elements(pdf(lines)) == [("p", "The river rose."), ("p", "People went to it.")]
    wide = [Text(text=f"{FULL} next", y=700), Text(text="morning. Yes", y=680)]
    assert _elements(pdf(wide)) == [("p", f"{FULL} next morning. Yes")]


def test_items_are_lists_with_their_numbers() -> None:
    content = [
        *paragraph("\u2022 one " + FULL, y=700),
        Text(text="hanging line.", x=80, y=687),
        *paragraph("\u2022 two", "3. three", "4) four", "Behind them.", y=670),
    ]
    assert _elements(pdf(content)) == [
        ("ul", ""),
        ("li", f"one {FULL} hanging line."),
        ("li", "two"),
        ("ol", ""),
        ("li 3", "three"),
        ("li 4", "four"),
        ("p", "Behind them."),
    ]


def test_a_sentence_goes_on_over_a_page_and_a_column() -> None:
    left = paragraph(FULL[:40], FULL[40:70], y=100)
    right = paragraph("of the river", "ends here.", y=700, x=320)
    ((tag, text),) = _elements(pdf(left, right))
    assert (tag, text) == (
        "p",
        f"{FULL[:40].strip()} {FULL[40:70].strip()} of the river ends here.",
    )
    ((tag, text),) = _elements(pdf([*left, *right]))
    assert text.endswith("of the river ends here.")


def test_divided_words_are_one() -> None:
    text = _elements(pdf(paragraph("This is the transla-", "tion of a sentence.")))[0][1]
    assert text == "This is the translation of a sentence."


def test_what_is_on_every_page_is_there_once() -> None:
    pages = [
        [Text(text="My company", y=810), *paragraph(f"Page {n} {FULL}.", y=400),
         Text(text=f"- {n} -", y=30, x=290)]
        for n in range(1, 6)
    ]  # fmt: skip
    texts = [text for _, text in _elements(pdf(*pages))]
    assert texts == ["My company", *(f"Page {n} {FULL}." for n in range(1, 6))]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("boxes", "x", "y"),
    [
        ("/MediaBox [0 842 595 1684]", 0, 842),
        ("/MediaBox [-300 -842 295 0]", -300, -842),
        ("/MediaBox [595 842 0 0]", 0, 0),
        ("/MediaBox [0 0 795 1042] /CropBox [100 100 695 942]", 100, 100),
    ],
)
def test_the_edges_of_a_page_are_those_of_what_is_shown(
    boxes: str, x: float, y: float, degrees: int
) -> None:
    """Wherever it begins: what stands on every page in its middle is no header."""
    middle = 290 if degrees in (90, 270) else 400  # of the side that is upright for a reader
    pages = []
    for number in range(1, 5):
        drawn = [
            _turned("My company", 72, 2 * middle - 12, degrees, x, y),
            _turned(f"Signed on page {number}.", 72, middle, degrees, x, y),
            _turned(f"- {number} -", 72, 30, degrees, x, y),
        ]
        pages.append(drawn)
    texts = [text for _, text in _elements(pdf(*pages, page_entries=f"{boxes} /Rotate {degrees}"))]
    assert texts == ["My company", *(f"Signed on page {number}." for number in range(1, 5))]


def _turned(text: str, across: float, up: float, degrees: int, x: float, y: float) -> str:
    """A text at a place of a page as it is shown, which begins at x, y and has 595 times 842."""
    matrix = {
        0: (1, 0, 0, 1, x + across, y + up),
        90: (0, 1, -1, 0, x + 595 - up, y + across),
        180: (-1, 0, 0, -1, x + 595 - across, y + 842 - up),
        270: (0, -1, 1, 0, x + up, y + 842 - across),
    }[degrees]
    return f"BT /F1 11 Tf {' '.join(map(str, matrix))} Tm <{text.encode().hex()}> Tj ET"


def test_a_table_of_contents_keeps_its_lines() -> None:
    lines = paragraph("1 Introduction . . . . . . . . . 1", "2 History ............ 17", "Text")
    assert [text for _, text in _elements(pdf(lines))] == [
        "1 Introduction … 1", "2 History … 17", "Text"
    ]  # fmt: skip


@pytest.mark.parametrize(("degrees", "matrix"), [
    (0, "1 0 0 1 {x} {y}"), (180, "-1 0 0 -1 {nx} {ny}"),
    (90, "0 1 -1 0 {ry} {rx}"), (270, "0 -1 1 0 {sy} {sx}"),
])  # fmt: skip
def test_a_turned_page_has_the_same_text(degrees: int, matrix: str) -> None:
    texts = [*paragraph(FULL, "more of it.", y=500), *paragraph("Second one.", y=430)]
    drawn = []
    for text in texts:
        x, y = text.x, text.y
        placed = matrix.format(x=x, y=y, nx=595 - x, ny=842 - y, ry=595 - y, rx=x, sy=y, sx=842 - x)
        drawn.append(f"BT /F1 11 Tf {placed} Tm <{text.text.encode().hex()}> Tj ET")
    assert [text for _, text in _elements(pdf(drawn, page_entries=f"/Rotate {degrees}"))] == [
        f"{FULL} more of it.",
        "Second one.",
    ]


def test_text_is_escaped_and_the_page_names_its_language() -> None:
    data = pdf(paragraph("if a < b & c > d <script>"), title='Tom & "Anna" <x>')
    document = read(data)
    assert [string.text for string in document.strings] == [
        'Tom & "Anna" <x>',
        "if a < b & c > d <script>",
    ]
    written = document.write(["<title>", "<b>&"], "he").decode()
    assert '<html lang="he" dir="rtl">' in written
    assert "<title>&lt;title&gt;</title>" in written
    assert "<p>&lt;b&gt;&amp;</p>" in written
    with pytest.raises(ValueError, match="1 translations of 2"):
        document.write(["x"])


def test_some_pages_may_be_images() -> None:
    page = _page(pdf(paragraph("First."), [IMAGE], paragraph("Third.")))
    assert page.comments == ["page 2 is an image"]
    assert [text for tag, text in page.found if tag == "p"] == ["First.", "Third."]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a .pdf file"),
        (b"Hello", "not a .pdf file"),
        (b"%PDF-1.7\n", "damaged"),
        (b"%PDF-1.7\n" + b"x" * 5_000, "damaged"),
        (pdf([IMAGE]), "1 of its 1 pages are images without text, as of a scanner"),
        (pdf([IMAGE], [IMAGE], [Text(text="Scanned by")]), "2 of its 3 pages"),
        (pdf([]), "it has no text"),
        (pdf([Text(text="12 345")]), "it has no text"),
        (pdf([Text(text="Hello")], trailer=ENCRYPTION), "it is encrypted"),
    ],
)
def test_what_has_no_text_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read(data)


@pytest.mark.parametrize("seed", range(8))
def test_broken_files_are_refused_or_read(seed: int) -> None:
    numbers = random.Random(seed)
    whole = [
        pdf([Text(text="Hello", size=20), *paragraph(FULL, "end.")], [IMAGE], title="Title"),
        pdf(*[paragraph(FULL, FULL, "end.")] * 3, is_packed=True),
    ]
    for _ in range(60):
        data = bytearray(numbers.choice(whole))
        for _ in range(numbers.choice([1, 3, 20])):
            at = numbers.randrange(len(data))
            data[at : at + numbers.choice([0, 1, 40])] = numbers.choice(
                [
                    b"",
                    b"\0",
                    b"\xff",
                    b"<<",
                    b">>",
                    b"2 0 R",
                    b"99999999999",
                    b"-1",
                    b"endobj",
                    b"[",
                ]
            )
        try:
            document = read(bytes(data))
        except DocumentError:
            continue
        assert document.write([string.text for string in document.strings])


@pytest.mark.parametrize("kind", ["pages", "lines", "headings", "characters"])
def test_work_grows_with_the_file(kind: str) -> None:
    def content(size: int) -> bytes:
        if kind == "pages":
            return pdf(*[paragraph(FULL, FULL)] * (size // 100))
        if kind == "characters":
            # PDFium cuts a string at 32,767 bytes: the largest work has 32,000.
            return pdf([Text(text="a " * (size * 2 // 5), size=1)])
        count = size // 20
        sizes = [8 + n % 30 if kind == "headings" else 11 for n in range(count)]
        return pdf([
            Text(text="A line of text", y=800 - n % 60 * 12, size=sizes[n]) for n in range(count)
        ])  # fmt: skip

    def work(size: int) -> object:
        data = content(size)

        def read_and_write() -> object:
            document = read(data)
            return document.write([string.text for string in document.strings])

        return read_and_write

    assert_linear(work, 10_000)  # type: ignore[arg-type]
