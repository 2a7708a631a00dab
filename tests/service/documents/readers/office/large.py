"""Office documents of many pages."""

from collections.abc import Callable, Mapping

from tests.service.documents.readers.office.archives import document, paragraph

_PROSE = """
    when the river rose above its banks that spring people of every village along it carried what
    they owned to higher ground and waited there for many days without bread or fire
"""
_WORDS = tuple(_PROSE.split())
_PARAGRAPHS_PER_PAGE = 5
_WORDS_PER_PARAGRAPH = 90


def docx_of_pages(num_pages: int) -> bytes:
    """Prose in the runs that Word makes of it, and as many small cells as paragraphs."""
    prose = "".join(map(_paragraph, range(num_pages * _PARAGRAPHS_PER_PAGE)))
    cells = "".join(
        f"<w:tc>{paragraph('.docx', f'Cell {n}')}</w:tc>"
        for n in range(num_pages * _PARAGRAPHS_PER_PAGE)
    )
    return document(".docx", f"{prose}<w:tbl><w:tr>{cells}</w:tr></w:tbl>")


def pages_of(suffix: str) -> Callable[[int], bytes]:
    """Makes plain documents of a format."""

    def make(num_pages: int) -> bytes:
        texts = map(_text, range(num_pages * _PARAGRAPHS_PER_PAGE))
        return document(suffix, "".join(paragraph(suffix, text) for text in texts))

    return make


LARGE: Mapping[str, Callable[[int], bytes]] = {
    ".docx": docx_of_pages,
    **{suffix: pages_of(suffix) for suffix in (".pptx", ".xlsx", ".odt", ".odp", ".epub")},
}


def _text(number: int) -> str:
    words = (_WORDS[(n * n + number) % len(_WORDS)] for n in range(_WORDS_PER_PARAGRAPH))
    return f"Paragraph {number} says that {' '.join(words)}."


def _paragraph(number: int) -> str:
    words = _text(number).split()
    runs = []
    for start in range(0, len(words), 6):
        looks = "<w:b/>" if start % 24 == 0 else ""
        text = " ".join(words[start : start + 6])
        runs.append(
            f'<w:r w:rsidR="00{number % 99:02}{start:02}AB"><w:rPr>{looks}<w:lang w:val="en-US"/>'
            f'</w:rPr><w:t xml:space="preserve">{text} </w:t></w:r>'
        )
    return f'<w:p w:rsidR="00AA"><w:pPr><w:pStyle w:val="Body"/></w:pPr>{"".join(runs)}</w:p>'
