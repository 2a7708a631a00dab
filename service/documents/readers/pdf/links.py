"""The links of a page, by the places that they cover."""

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Around linked words: noncharacters, which no text of a file has once it was read."""
_MARKED = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
_MARKS = {ord(OPEN): None, ord(CLOSE): None}
_SCHEMES = re.compile(r"(?:https?|ftp)://\S|(?:mailto|tel):\S", re.IGNORECASE)
"""Others could run a script, or read files of the reader's machine."""
_MAX_LINKS = 2_000
"""Links of a page."""
_MAX_TARGET_BYTES = 2_000
_BAND = 4.0
"""Points of height; links are looked up by the bands that they touch."""
_MAX_BANDS = 400
_MAX_PER_BAND = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Area:
    left: float
    bottom: float
    right: float
    top: float
    target: str


class PageLinks:
    """The links of a page; looking up a place takes constant time."""

    def __init__(self, document: Any, page: Any) -> None:  # noqa: ANN401
        self._bands: dict[int, list[_Area]] = {}
        for area in _areas(document, page):
            first, last = int(area.bottom // _BAND), int(area.top // _BAND)
            for band in range(first, min(last, first + _MAX_BANDS) + 1):
                found = self._bands.setdefault(band, [])
                if len(found) < _MAX_PER_BAND:
                    found.append(area)

    def __bool__(self) -> bool:
        """Whether there are links."""
        return bool(self._bands)

    def target(self, x: float, y: float) -> str:
        """Where a place leads to; empty: nowhere."""
        for area in self._bands.get(int(y // _BAND), ()):
            if area.left <= x <= area.right and area.bottom <= y <= area.top:
                return area.target
        return ""

    def targets(self, text_page: Any, first: int, last: int) -> list[str]:  # noqa: ANN401
        """Where each of these characters leads to."""
        return [self._of_character(text_page, index) for index in range(first, last + 1)]

    def _of_character(self, text_page: Any, index: int) -> str:  # noqa: ANN401
        from pypdfium2 import raw

        box = raw.FS_RECTF()
        if not raw.FPDFText_GetLooseCharBox(text_page, index, box):
            return ""
        return self.target((box.left + box.right) / 2, (box.bottom + box.top) / 2)


def marked(text: str, targets: Sequence[str], end: int) -> tuple[str, tuple[str, ...]]:
    """A line with marks around its links, and their targets in order.

    Args:
        text: The line.
        targets: Of each of its characters; empty: none.
        end: No link goes on behind this character.
    """
    parts: list[str] = []
    found: list[str] = []
    done = 0
    for start, stop in _runs(text, targets, end):
        parts += [text[done:start], OPEN, text[start:stop], CLOSE]
        found.append(targets[start])
        done = stop
    return "".join([*parts, text[done:]]), tuple(found)


def without_marks(text: str) -> str:
    """A text without the marks of its links."""
    return text.translate(_MARKS)


def segments(text: str, targets: Sequence[str]) -> list[tuple[str, str]]:
    """Parts of a marked text with their targets; a link that goes on over lines is one."""
    found: list[tuple[str, str]] = []
    for index, part in enumerate(_MARKED.split(text)):
        target = targets[index // 2] if index % 2 else ""
        is_between = len(found) > 1 and not found[-1][0].strip()
        if target and found and found[-1][1] == target:
            found[-1] = (found[-1][0] + part, target)
        elif target and is_between and found[-2][1] == target:
            space, _ = found.pop()
            found[-1] = (found[-1][0] + space + part, target)
        elif part:
            found.append((part, target))
    return found


def _runs(text: str, targets: Sequence[str], end: int) -> Iterator[tuple[int, int]]:
    """Begins and ends of links; white space between two words of a link belongs to it."""
    start, stop = 0, 0
    for index in range(end):
        if text[index].isspace():
            continue
        if stop > start and targets[index] == targets[start]:
            stop = index + 1
            continue
        if stop > start:
            yield start, stop
        start, stop = (index, index + 1) if targets[index] else (index, index)
    if stop > start:
        yield start, stop


def _areas(document: Any, page: Any) -> Iterator[_Area]:  # noqa: ANN401
    from pypdfium2 import raw

    position, link, box = ctypes.c_int(0), raw.FPDF_LINK(), raw.FS_RECTF()
    for _ in range(_MAX_LINKS):
        if not raw.FPDFLink_Enumerate(page, ctypes.byref(position), ctypes.byref(link)):
            return
        if not raw.FPDFLink_GetAnnotRect(link, box):
            continue
        if target := _target(document, link):
            left, right = sorted((box.left, box.right))
            bottom, top = sorted((box.bottom, box.top))
            if max(map(abs, (left, right, bottom, top))) < 1e5:
                yield _Area(left=left, bottom=bottom, right=right, top=top, target=target)


def _target(document: Any, link: Any) -> str:  # noqa: ANN401
    """A URI, or the anchor of a page; empty if it leads elsewhere."""
    from pypdfium2 import raw

    action = raw.FPDFLink_GetAction(link)
    if action and raw.FPDFAction_GetType(action) == raw.PDFACTION_URI:
        return _uri(document, action)
    place = raw.FPDFLink_GetDest(document, link)
    if not place and action and raw.FPDFAction_GetType(action) == raw.PDFACTION_GOTO:
        place = raw.FPDFAction_GetDest(document, action)
    number = raw.FPDFDest_GetDestPageIndex(document, place) if place else -1
    return f"#page-{number + 1}" if 0 <= number < len(document) else ""


def _uri(document: Any, action: Any) -> str:  # noqa: ANN401
    from pypdfium2 import raw

    size = raw.FPDFAction_GetURIPath(document, action, None, 0)
    if not 1 < size <= _MAX_TARGET_BYTES:
        return ""
    written = ctypes.create_string_buffer(size)
    raw.FPDFAction_GetURIPath(document, action, written, size)
    uri = written.value.decode("utf-8", "replace").strip()
    return uri if uri.isprintable() and _SCHEMES.match(uri) else ""
