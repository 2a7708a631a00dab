"""Paragraphs, headings and lists of lines of text; knows no PDF library."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median_low
from typing import Literal

from service.documents.readers.pdf.images import Image
from service.documents.readers.pdf.lines import HYPHEN, Line
from service.documents.readers.pdf.links import CLOSE, OPEN, without_marks
from service.documents.readers.wrapping import joined

Kind = Literal["p", "h1", "h2", "h3", "ul", "ol", "img"]

_BULLET = re.compile(r"[•◦▪▫‣⁃●○■□–—*·\uf0b7\uf0a7-]\s+(?=\S)")  # noqa: RUF001
_NUMBER = re.compile(r"(\d{1,3})[.)]\s+(?=\S)")
_SENTENCE_END = re.compile(r"[.!?:;。！？…][\"'”’»)\]]*\Z")  # noqa: RUF001
_LEADER = re.compile(r"(?:[.·…_] ?){4,}")
"""Dots from a heading to the number of its page."""
_DIGITS = re.compile(r"\d+")
_MIN_HEADING_RATIO = 1.12
"""Height of a heading to that of most text."""
_MAX_HEADING_CHARS = 200
_MAX_LEVELS = 3
_SAME_SIZE = 0.08
_MAX_LEADING = 1.35
"""Distance of lines of a paragraph, to the usual one."""
_WIDE_LEADING = 1.5
"""Distance of lines, to their size, that may be one of paragraphs of a line each."""
_MAX_PLACES = 2_000
"""Blocks of a page among which a place is looked for each image."""
_MIN_REPEATS = 3
"""Pages on which something stands at one height at the top or the bottom, to be there once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A paragraph, a heading, an item of a list, or an image."""

    kind: Kind
    text: str
    """Text with marks around its links."""
    page: int
    """Where it begins."""
    number: int = 0
    """Number of an item of a numbered list."""
    targets: tuple[str, ...] = ()
    """Targets of its links, in order."""
    image: Image | None = None


def find_blocks(lines: Sequence[Line], images: Sequence[Image] = ()) -> Iterator[Block]:
    """The blocks of a document in the order of its lines, each image behind what is above it."""
    pages: dict[int, list[tuple[Line, Block]]] = {}
    for paragraph, block in _blocks(lines):
        pages.setdefault(block.page, []).append((paragraph[0], block))
    pictures: dict[int, list[Image]] = {}
    for image in images:
        pictures.setdefault(image.page, []).append(image)
    for page in sorted(pages | pictures):
        yield from _with_images(pages.get(page, []), pictures.get(page, []))


def _with_images(blocks: Sequence[tuple[Line, Block]], images: Sequence[Image]) -> Iterator[Block]:
    """The blocks of a page with its images among them."""
    behind: dict[int, list[Image]] = {}
    for image in sorted(images, key=lambda image: -image.middle):
        above = [
            (number, line) for number, (line, _) in enumerate(blocks[:_MAX_PLACES], start=1)
            if line.first_baseline >= image.middle
        ]  # fmt: skip
        beside = [
            number for number, line in above
            if line.left < image.right and image.left < line.right
        ]  # fmt: skip
        place = max(beside or [number for number, _ in above], default=0)
        behind.setdefault(place, []).append(image)
    for number in range(len(blocks) + 1):
        if number:
            yield blocks[number - 1][1]
        for image in behind.get(number, ()):
            yield Block(kind="img", text="", page=image.page, image=image)


def _blocks(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], Block]]:
    body = _without_running_lines(lines)
    if not body:
        return
    size = _body_size(body)
    levels = _levels(body, size)
    layout = _Layout(body)
    paragraph: list[Line] = []
    for line in body:
        is_ended = bool(paragraph) and _is_heading(paragraph[-1], size, layout)
        if paragraph and (is_ended or not _continues(paragraph, line, layout)):
            yield paragraph, _block(paragraph, size, levels)
            paragraph = []
        if paragraph and _is_beside(paragraph[-1], line):
            line = replace(line, left=paragraph[-1].left)
        paragraph.append(line)
    yield paragraph, _block(paragraph, size, levels)


def _without_running_lines(lines: Sequence[Line]) -> list[Line]:
    """Without page numbers, and with headers and footers once."""
    at_edges = {(_pattern(line), line.page) for line in lines if line.is_at_edge}
    num_pages = Counter(pattern for pattern, _ in at_edges)
    seen: set[tuple[str, int]] = set()
    kept = []
    for line in lines:
        pattern = _pattern(line)
        if line.is_at_edge and num_pages[pattern] >= _MIN_REPEATS:
            if pattern in seen or not any(map(str.isalpha, line.text)):
                continue
            seen.add(pattern)
        kept.append(line)
    return kept


def _pattern(line: Line) -> tuple[str, int]:
    """Equal for lines that stand at one height and differ by numbers only."""
    return _DIGITS.sub("0", line.text), round(line.baseline / 4)


def _body_size(lines: Iterable[Line]) -> float:
    """The height of most letters."""
    counts: Counter[float] = Counter()
    for line in lines:
        counts[line.size] += len(line.text)
    return counts.most_common(1)[0][0]


def _levels(lines: Iterable[Line], body_size: float) -> list[float]:
    """The heights of headings, largest first."""
    sizes = {line.size for line in lines if line.size >= body_size * _MIN_HEADING_RATIO}
    levels: list[float] = []
    for size in sorted(sizes, reverse=True):
        if not levels or size < levels[-1] * (1 - _SAME_SIZE):
            levels.append(size)
    return levels


class _Layout:
    """How the lines of a document are set."""

    def __init__(self, lines: Sequence[Line]) -> None:
        ratios = [
            _distance(before, line) / line.size
            for before, line in pairwise(lines)
            if before.page == line.page and 0 < _distance(before, line) < 3 * line.size
        ]
        self.leading = median_low(ratios) if ratios else 1.2
        """The usual distance of two lines, to their size."""
        self.right = max(line.right for line in lines)
        self._columns: dict[tuple[int, int], float] = {}
        for line in lines:
            key = self._key(line)
            self._columns[key] = max(self._columns.get(key, 0.0), line.right)

    def is_ended(self, last: Line, line: Line) -> bool:
        """Whether a line ends before its column does, though the next word would fit there."""
        word = line.text.split(maxsplit=1)[0]
        width = len(word) * (line.right - line.left) / len(line.text)
        return last.right + width + 1.5 * last.size < self._columns[self._key(last)]

    def _key(self, line: Line) -> tuple[int, int]:
        """A page, and a column that begins where the line does."""
        return line.page, round(line.left / 8)


def _distance(before: Line, line: Line) -> float:
    return before.baseline - line.first_baseline


def _continues(paragraph: Sequence[Line], line: Line, layout: _Layout) -> bool:
    """Whether a line belongs to the paragraph before it."""
    first, last = paragraph[0], paragraph[-1]
    if _LEADER.search(last.text) or _LEADER.search(line.text):  # of a table of contents
        return False
    if _BULLET.match(line.text) or _NUMBER.match(line.text):
        return False
    if _is_beside(last, line):
        return True
    if abs(line.size - last.size) > _SAME_SIZE * last.size or line.is_bold != last.is_bold:
        return False
    distance = _distance(last, line)
    if line.page != last.page or distance < -line.size / 4:  # the next page or column
        return not _ends_sentence(last.text) and (line.text[:1].islower() or _is_cut(last))
    if not line.size / 4 <= distance <= _MAX_LEADING * layout.leading * line.size:
        return False  # a cell beside it, or another paragraph
    if len(paragraph) == 1 and distance > _WIDE_LEADING * line.size and _ends_sentence(last.text):
        return False
    if last.is_cell and abs(line.left - last.left) > line.size / 4:
        return False
    is_item = bool(_BULLET.match(first.text) or _NUMBER.match(first.text))
    is_indented = line.left > last.left + line.size / 2 and not is_item
    return not is_indented and not layout.is_ended(last, line)


def _is_beside(last: Line, line: Line) -> bool:
    """Whether a line goes on at once where the last one ends, as behind a raised mark of a note."""
    is_level = last.page == line.page and (
        abs(last.first_baseline - line.first_baseline) < line.size / 4
    )
    return is_level and -line.size / 2 < line.left - last.right < line.size / 2


def _is_heading(line: Line, body_size: float, layout: _Layout) -> bool:
    """Whether a line is a heading that needs no second line."""
    return line.size >= body_size * _MIN_HEADING_RATIO and line.right < 0.75 * layout.right


def _ends_sentence(text: str) -> bool:
    return _SENTENCE_END.search(text) is not None


def _is_cut(line: Line) -> bool:
    return line.text.endswith(HYPHEN)


def _block(paragraph: Sequence[Line], body_size: float, levels: Sequence[float]) -> Block:
    whole = _text(paragraph)
    text = without_marks(whole)
    kind, begin, number = _kind(paragraph, text, body_size, levels)
    return Block(
        kind=kind, text=_without_start(whole, begin), page=paragraph[0].page, number=number,
        targets=tuple(target for line in paragraph for target in line.targets),
    )  # fmt: skip


def _kind(
    paragraph: Sequence[Line], text: str, body_size: float, levels: Sequence[float]
) -> tuple[Kind, int, int]:
    """What a paragraph is, where its text begins behind a bullet, and its number."""
    first = paragraph[0]
    if bullet := _BULLET.match(text):
        return "ul", bullet.end(), 0
    is_heading = first.size >= body_size * _MIN_HEADING_RATIO and len(text) <= _MAX_HEADING_CHARS
    if is_heading:
        return _heading(sum(first.size < size * (1 - _SAME_SIZE) for size in levels)), 0, 0
    is_title = len(paragraph) == 1 and first.is_bold and not _ends_sentence(text)
    if is_title and first.size >= body_size and any(map(str.isalpha, text)):
        return _heading(len(levels)), 0, 0
    if number := _NUMBER.match(text):
        return "ol", number.end(), int(number[1])
    return "p", 0, 0


def _without_start(marked: str, num_chars: int) -> str:
    """A marked text without its first characters; all marks stay."""
    index, kept = 0, []
    while num_chars:
        if marked[index] in (OPEN, CLOSE):
            kept.append(marked[index])
        else:
            num_chars -= 1
        index += 1
    return "".join(kept) + marked[index:]


def _heading(level: int) -> Kind:
    kinds: tuple[Kind, ...] = ("h1", "h2", "h3")
    return kinds[min(level, _MAX_LEVELS - 1)]


def _text(lines: Sequence[Line]) -> str:
    """Lines as one text, with words that were divided at their end in one, and with marks."""
    parts: list[str] = []
    for line in lines:
        text = line.marked or line.text
        if parts and parts[-1].endswith(HYPHEN):
            divided = parts.pop()[:-1]
            parts.append(divided + ("" if line.text[:1].islower() else "-") + text)
        else:
            parts.append(text)
    return _LEADER.sub(" … ", joined(parts).replace(HYPHEN, "-"))
