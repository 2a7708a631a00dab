"""What stands in a PDF file, by PDFium: lines with place, size, weight and links; images."""

import ctypes
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from service.documents.errors import DocumentError
from service.documents.packages.packed_document import MAX_TEXT_CHARS
from service.documents.readers.pdf.images import Image, ImageReader
from service.documents.readers.pdf.links import CLOSE, OPEN, PageLinks, marked, without_marks

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

MAX_PAGES = 3_000
_BEGINS_WITHIN = 1_024
_PASSWORD_ERRORS = (4, 5)
"""FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY."""
_HYPHENS = "\x02\ufffe\xad"
"""What PDFium says, by version, for a hyphen at the end of a line."""
HYPHEN = "\xad"
_MARKS = OPEN + CLOSE
_KEPT = HYPHEN + _MARKS
_BOLD_NAMES = (b"bold", b"black", b"heavy")
_MIN_BOLD_WEIGHT = 600
_SPACE = re.compile(r"(?<=\S) +(?=\S)")
_WORD = re.compile(r"[^\W\d_]{2}")
_MIN_CELL_GAP = 2.5
"""Gap between cells over the size of the font; words of justified lines, or around a small image,
are closer."""
_EDGE = 0.11
"""Height of header and footer, as a part of that of the page."""
_MAX_PLACE = 1e5
"""Points; pages have at most 14,400."""
_NAME_BYTES = 64
_UNREADABLE_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text; places are in points, from the lower left corner of what a page shows."""

    text: str
    """A hyphen that divides a word at its end is `HYPHEN`."""
    page: int
    left: float
    right: float
    baseline: float
    """Baseline of its last letter; PDFium joins lines between which a word is divided."""
    first_baseline: float
    size: float
    """Size of its font."""
    is_bold: bool
    is_at_edge: bool
    """Whether it is so high or low on its page as headers and footers are."""
    is_cell: bool = False
    """Whether it stands behind another one with a wide gap between."""
    marked: str = ""
    """The text with marks around its links."""
    targets: tuple[str, ...] = ()
    """Targets of its links, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfText:
    """What was found in a file."""

    title: str
    """Title in the metadata; may be empty."""
    lines: tuple[Line, ...]
    num_pages: int
    image_pages: tuple[int, ...]
    """Pages with an image and without a letter, from 0."""
    images: tuple[Image, ...] = ()
    """Images in the order of the file."""


def read_lines(data: bytes) -> PdfText:
    """The text of a file.

    Raises:
        DocumentError: It is no PDF, has a password, has no text, or is beyond a limit.
    """
    if b"%PDF-" not in data[:_BEGINS_WITHIN]:
        raise DocumentError("it does not begin with %PDF-: it is not a .pdf file")
    with _opened(data) as document:
        num_pages = len(document)
        if num_pages > MAX_PAGES:
            raise DocumentError(f"it has {num_pages} pages; the limit is {MAX_PAGES}: divide it")
        text = _text(document, ImageReader(len(data)))
    _check(text)
    return text


def _text(document: "PdfDocument", reader: ImageReader) -> PdfText:
    lines: list[Line] = []
    images: list[Image] = []
    image_pages = []
    num_chars = 0
    for number in range(len(document)):
        with _page(document, number) as page:
            if page is None:
                continue
            links = PageLinks(document, page)
            found = list(_page_lines(page, number, links))
            shown = list(reader.images(page, number, links))
            num_chars += sum(len(line.text) for line in found)
            num_chars += sum(len(image.alternative) for image in shown)
            if num_chars > MAX_TEXT_CHARS:
                raise DocumentError(f"it has over {MAX_TEXT_CHARS} characters of text: divide it")
            if not any(map(str.isalpha, "".join(line.text for line in found))):
                image_pages += [number] if _has_image(page) else []
            lines += found
            images += shown
    return PdfText(
        title=str(document.get_metadata_value("Title")), lines=tuple(lines), images=tuple(images),
        num_pages=len(document), image_pages=tuple(image_pages),
    )  # fmt: skip


def _check(text: PdfText) -> None:
    """Refuse what has no text that could be translated."""
    characters = "".join(line.text for line in text.lines)
    letters = sum(map(str.isalpha, characters))
    if 2 * len(text.image_pages) > text.num_pages:
        raise DocumentError(
            f"{len(text.image_pages)} of its {text.num_pages} pages are images without text, as of "
            "a scanner: recognise their text first (OCR)"
        )
    unreadable = sum(char == "\ufffd" or "\ue000" <= char <= "\uf8ff" for char in characters)
    if unreadable > _UNREADABLE_SHARE * (letters + unreadable):
        raise DocumentError("its fonts do not say which letters they show: export it again")
    if not letters:
        raise DocumentError("it has no text")


def _opened(data: bytes) -> "PdfDocument":
    try:
        import pypdfium2
    except ImportError:
        raise DocumentError(
            "this server reads no PDF: install pypdfium2 with pellucid[documents]"
        ) from None
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in _PASSWORD_ERRORS:
            raise DocumentError("it is encrypted: remove its password first") from None
        raise DocumentError("it is damaged, or not a .pdf file: save it again") from None


@contextmanager
def _page(document: "PdfDocument", number: int) -> Iterator["PdfPage | None"]:
    """A page; None if it is damaged."""
    import pypdfium2

    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        yield None
        return
    try:
        yield page
    finally:
        page.close()


def _page_lines(page: "PdfPage", number: int, links: PageLinks) -> Iterator[Line]:
    """The lines of a page in the order of the file; none of a text that is damaged."""
    import pypdfium2
    from pypdfium2 import raw

    turn = _Turn(page)
    try:
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError:
        return
    start = 0
    characters: list[str] = []
    for index in range(text_page.count_chars()):
        character = chr(raw.FPDFText_GetUnicode(text_page, index) or 0xFFFD)
        if character not in "\r\n":
            characters.append("\ufffd" if character in _MARKS else character)
            continue
        yield from _cells(text_page, "".join(characters), start, number, turn, links)
        characters.clear()
        start = index + 1
    yield from _cells(text_page, "".join(characters), start, number, turn, links)
    text_page.close()


def _cells(
    text_page: Any,  # noqa: ANN401
    text: str,
    start: int,
    page: int,
    turn: "_Turn",
    links: PageLinks,
) -> Iterator[Line]:
    """A line, or several where PDFium has joined the cells of a row."""
    done = 0
    for cut in (*_gaps(text_page, text, start, turn), len(text)):
        for line in _line(text_page, text[done:cut], start + done, page, turn, links):
            yield replace(line, is_cell=True) if done else line
        done = cut


def _gaps(text_page: Any, text: str, start: int, turn: "_Turn") -> Iterator[int]:  # noqa: ANN401
    """Spaces that are as wide as between cells, behind a word."""
    word = _WORD.search(text)
    if word is None:  # bullets and numbers only
        return
    for space in _SPACE.finditer(text, word.end()):
        before, behind = start + space.start() - 1, start + space.end()
        gap = turn.box(text_page, behind)[0] - turn.box(text_page, before)[2]
        if gap > _MIN_CELL_GAP * max(_size(text_page, before), _size(text_page, behind), 1):
            yield space.start()


def _line(
    text_page: Any,  # noqa: ANN401
    text: str,
    start: int,
    page: int,
    turn: "_Turn",
    links: PageLinks,
) -> Iterator[Line]:
    content = text.strip()
    if not content:
        return
    first = start + text.index(content)
    last = first + len(content) - 1
    boxes = [turn.box(text_page, index) for index in (first, last)]
    # A bullet may have another font.
    size = median(_size(text_page, index) for index in (first, (first + last) // 2, last))
    shown, targets = _shown(text_page, content, first, links)
    if not shown:
        return
    yield Line(
        text=without_marks(shown),
        marked=shown,
        targets=targets,
        page=page,
        left=min(box[0] for box in boxes),
        right=max(box[2] for box in boxes),
        baseline=boxes[-1][1],
        first_baseline=boxes[0][1],
        size=round(max(_bounded(size), 0.1), 1),
        is_bold=_is_bold(text_page, first) and _is_bold(text_page, last),
        is_at_edge=turn.is_at_edge(boxes[0][1]),
    )


def _shown(
    text_page: Any,  # noqa: ANN401
    text: str,
    first: int,
    links: PageLinks,
) -> tuple[str, tuple[str, ...]]:
    """A line, cleaned, with marks around its links, and their targets; `first` is its index."""
    is_cut = text[-1] in _HYPHENS
    written = text[:-1] + HYPHEN if is_cut else text
    if not links:
        return _cleaned(written), ()
    of_characters = links.targets(text_page, first, first + len(text) - 1)
    content, targets = marked(written, of_characters, len(text) - is_cut)
    return _cleaned(content), targets


def _cleaned(text: str) -> str:
    """A text without control characters and halves of pairs; marks within words are none."""
    inner = text[:-1].translate({ord(char): None for char in _HYPHENS}) + text[-1:]
    whole = inner.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    printed = (char if char.isprintable() or char in _KEPT else " " for char in whole)
    return "".join(printed).strip()


def _bounded(value: float) -> float:
    """A place or size that can be calculated with, whatever the file says."""
    return max(-_MAX_PLACE, min(value, _MAX_PLACE)) if math.isfinite(value) else 0.0


def _size(text_page: Any, index: int) -> float:  # noqa: ANN401
    """The size of the font as it is shown."""
    from pypdfium2 import raw

    matrix = raw.FS_MATRIX()
    raw.FPDFText_GetMatrix(text_page, index, matrix)
    return float(raw.FPDFText_GetFontSize(text_page, index) * math.hypot(matrix.c, matrix.d))


def _is_bold(text_page: Any, index: int) -> bool:  # noqa: ANN401
    from pypdfium2 import raw

    if raw.FPDFText_GetFontWeight(text_page, index) >= _MIN_BOLD_WEIGHT:
        return True
    name = ctypes.create_string_buffer(_NAME_BYTES)
    size = raw.FPDFText_GetFontInfo(text_page, index, name, _NAME_BYTES, ctypes.c_int())
    return size <= _NAME_BYTES and any(word in name.value.lower() for word in _BOLD_NAMES)


def _has_image(page: "PdfPage") -> bool:
    from pypdfium2 import raw

    found = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    return next(iter(found), None) is not None


class _Turn:
    """Places on a page as a reader sees it, however it is turned."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401
        self._degrees = page.get_rotation()
        # What is shown need not begin at 0: proofs have margins that are cut off.
        self._left, self._bottom, self._right, self._top = page.get_bbox()

    def is_at_edge(self, baseline: float) -> bool:
        """Whether a place is in the part of the page where headers and footers are."""
        is_turned = self._degrees in (90, 270)
        height = self._right - self._left if is_turned else self._top - self._bottom
        return height > 0 and not _EDGE * height < baseline < (1 - _EDGE) * height

    def box(self, text_page: Any, index: int) -> tuple[float, float, float]:  # noqa: ANN401
        """Left, baseline and right of a character."""
        from pypdfium2 import raw

        box, x, y = raw.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
        raw.FPDFText_GetLooseCharBox(text_page, index, box)
        raw.FPDFText_GetCharOrigin(text_page, index, x, y)
        match self._degrees:
            case 90:
                found = box.bottom - self._bottom, self._right - x.value, box.top - self._bottom
            case 180:
                found = self._right - box.right, self._top - y.value, self._right - box.left
            case 270:
                found = self._top - box.top, x.value - self._left, self._top - box.bottom
            case _:
                found = box.left - self._left, y.value - self._bottom, box.right - self._left
        left, baseline, right = map(_bounded, found)
        return left, baseline, right
