"""`.pdf`: its paragraphs, headings, lists, links and images, page by page, as a web page."""

import html
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from service.documents.document import Document, DocumentString
from service.documents.encoding import Encoding
from service.documents.readers.pdf.blocks import Block, find_blocks
from service.documents.readers.pdf.images import Image
from service.documents.readers.pdf.lines import PdfText, read_lines
from service.documents.readers.pdf.links import segments, without_marks

_RIGHT_TO_LEFT = frozenset(["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"])
_STYLE = (
    "body{max-width:45em;margin:2em auto;padding:0 1em;line-height:1.5}"
    "figure{margin:1em 0}img{max-width:100%;height:auto}"
    "section+section{border-top:1px dashed #999;break-before:page}"
    "@media print{section+section{border:0}}"
)
_PIXELS_PER_POINT = 4 / 3
_MAX_LINKED_CHARS = 20_000
"""Longest paragraph with links; a longer one is text alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfDocument:
    """A parsed file."""

    body: Document
    """From the title on."""

    def iter_strings(self) -> Iterator[DocumentString]:
        """The strings to translate, in order."""
        return self.body.iter_strings()

    @property
    def strings(self) -> tuple[DocumentString, ...]:
        """The strings to translate, in order."""
        return self.body.strings

    def write(self, translations: Sequence[str], language: str = "") -> bytes:
        """A web page with a translation for each of its strings.

        Args:
            translations: One for each string.
            language: BCP-47 code of the translation.

        Raises:
            ValueError: The numbers of translations and strings differ.
        """
        named = f' lang="{html.escape(language)}"' if language else ""
        turned = ' dir="rtl"' if language.partition("-")[0] in _RIGHT_TO_LEFT else ""
        head = f'<!DOCTYPE html>\n<html{named}{turned}>\n<meta charset="utf-8">\n'
        return head.encode("utf-8") + self.body.write(translations)


def read(data: bytes) -> PdfDocument:
    """Parse a PDF file.

    Raises:
        DocumentError: It is no PDF, has a password, has no text, or is beyond a limit.
    """
    text = read_lines(data)
    blocks = list(find_blocks(text.lines, text.images))
    parts = [
        *("<title>", *_string(text.title or _first_heading(blocks)), "</title>\n"),
        f"<style>{_STYLE}</style>\n",
        *_pages(blocks, text),
    ]
    return PdfDocument(body=Document(parts=tuple(parts), encoding=Encoding()))


def _first_heading(blocks: Sequence[Block]) -> str:
    """What a file without a title is named by; empty if it has no heading."""
    return next((without_marks(block.text) for block in blocks if block.kind == "h1"), "")


def _pages(blocks: Sequence[Block], text: PdfText) -> Iterator[str | DocumentString]:
    """A section for each page; a paragraph that goes on over pages is where it begins."""
    pages = {page: [*group] for page, group in groupby(blocks, key=lambda block: block.page)}
    image_pages = frozenset(text.image_pages)
    for page in range(text.num_pages):
        yield f'<section id="page-{page + 1}" aria-label="{page + 1}">\n'
        if page in image_pages:
            yield f"<!-- page {page + 1} is an image -->\n"
        yield from _parts(pages.get(page, []))
        yield "</section>\n"


def _parts(blocks: Sequence[Block]) -> Iterator[str | DocumentString]:
    """The blocks of a page with their tags."""
    for kind, group in groupby(blocks, key=lambda block: block.kind):
        is_list = kind in ("ul", "ol")
        if is_list:
            yield f"<{kind}>\n"
        for block in group:
            if block.image:
                yield from _image(block.image)
                continue
            value = f' value="{block.number}"' if kind == "ol" else ""
            name = "li" if is_list else kind
            yield from (f"<{name}{value}>", *_linked(block), f"</{name}>\n")
        if is_list:
            yield f"</{kind}>\n"


def _image(image: Image) -> Iterator[str | DocumentString]:
    """An image in the page itself, as wide as it was on paper."""
    if not image.data:
        yield "<!-- an image is left out: beyond a limit, or damaged -->\n"
        return
    width = max(1, round((image.right - image.left) * _PIXELS_PER_POINT))
    source = f"data:{image.media_type};base64,{b64encode(image.data).decode('ascii')}"
    begin, end = (_anchor(image.target), "</a>") if image.target else ("", "")
    yield f'<figure>{begin}<img src="{source}" width="{width}" alt="'
    yield from _string(image.alternative, render=html.escape)
    yield f'">{end}</figure>\n'


def _linked(block: Block) -> Iterator[str | DocumentString]:
    """A text with its links: around all of it as tags of the page, else among its words."""
    content = " ".join(block.text.split())
    found = segments(content, block.targets) if block.targets else []
    if not found or len(content) > _MAX_LINKED_CHARS:
        yield from _string(without_marks(content))
    elif len(found) == 1 and found[0][1]:
        yield from (_anchor(found[0][1]), *_string(found[0][0]), "</a>")
    else:
        written = "".join(
            f"{_anchor(target)}{_escaped(text)}</a>" if target else _escaped(text)
            for text, target in found
        )
        yield from _string(written, is_html=True)


def _anchor(target: str) -> str:
    return f'<a href="{html.escape(target)}">'


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _string(
    text: str, *, is_html: bool = False, render: Callable[[str], str] = _escaped
) -> Iterator[str | DocumentString]:
    """A string to translate, if it has letters."""
    content = " ".join(text.split())
    if is_html:
        yield DocumentString(text=content, original=content, format="html")
    elif any(map(str.isalpha, content)):
        yield DocumentString(text=content, original=None, render=render)
    else:
        yield render(content)
