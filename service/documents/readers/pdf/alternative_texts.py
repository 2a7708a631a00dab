"""The alternative texts of a tagged file's images, by the marked content that they are."""

import ctypes
from collections.abc import Iterator
from typing import Any

MAX_TEXT_CHARS = 2_000
"""Longer alternative texts are left out."""
MAX_ELEMENTS = 50_000
"""Structure elements and contents of a document; images behind them have no alternative text."""
_MAX_DEPTH = 50


class AlternativeTexts:
    """The alternative texts of a document's images; a page is looked through for its first one."""

    def __init__(self, max_elements: int = MAX_ELEMENTS) -> None:
        self._elements_left = max_elements
        self._page: Any = None
        self._texts: dict[int, str] = {}
        """Of that page, by the ids of marked content."""

    def of_image(self, page: Any, image: Any) -> str:  # noqa: ANN401
        """The alternative text of an image on a page; empty if it has none."""
        from pypdfium2 import raw

        while image.container is not None:  # ids within a form are another count
            image = image.container
        content_id = raw.FPDFPageObj_GetMarkedContentID(image)
        if content_id < 0:
            return ""
        if page is not self._page:
            self._page, self._texts = page, dict(self._of_page(page))
        return self._texts.get(content_id, "")

    def _of_page(self, page: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401
        """Ids of marked content with their texts."""
        from pypdfium2 import raw

        tree = raw.FPDF_StructTree_GetForPage(page)
        if not tree:
            return
        try:
            for index in range(raw.FPDF_StructTree_CountChildren(tree)):
                if self._elements_left <= 0:
                    return
                yield from self._below(raw.FPDF_StructTree_GetChildAtIndex(tree, index), "", 0)
        finally:
            raw.FPDF_StructTree_Close(tree)

    def _below(self, element: Any, text: str, depth: int) -> Iterator[tuple[int, str]]:  # noqa: ANN401
        """The same for an element within another one that has this text."""
        from pypdfium2 import raw

        self._elements_left -= 1
        if not element or depth > _MAX_DEPTH:
            return
        text = _alternative_text(element) or text
        for index in range(raw.FPDF_StructElement_CountChildren(element)):
            if self._elements_left <= 0:
                return
            content_id = raw.FPDF_StructElement_GetChildMarkedContentID(element, index)
            if content_id >= 0 and text:
                yield content_id, text
            child = raw.FPDF_StructElement_GetChildAtIndex(element, index)
            yield from self._below(child, text, depth + 1)


def _alternative_text(element: Any) -> str:  # noqa: ANN401
    from pypdfium2 import raw

    size = raw.FPDF_StructElement_GetAltText(element, None, 0)
    if not 2 < size <= 2 * MAX_TEXT_CHARS + 2:
        return ""
    written = ctypes.create_string_buffer(size)
    raw.FPDF_StructElement_GetAltText(element, written, size)
    text = written.raw[: size - 2].decode("utf-16-le", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
