"""`.pdf`: paragraphs, headings and lists of its text, written as a web page."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from service.documents.document import Document, DocumentString
from service.documents.encoding import Encoding
from service.documents.readers.pdf.blocks import Block, find_blocks
from service.documents.readers.pdf.lines import read_lines

_RIGHT_TO_LEFT = frozenset(["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"])
_STYLE = "body{max-width:45em;margin:2em auto;padding:0 1em;line-height:1.5}"


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
    parts = [
        *("<title>", *_string(text.title), f"</title>\n<style>{_STYLE}</style>\n"),
        *_parts(list(find_blocks(text.lines)), list(text.image_pages)),
    ]
    return PdfDocument(body=Document(parts=tuple(parts), encoding=Encoding()))


def _parts(blocks: Sequence[Block], image_pages: list[int]) -> Iterator[str | DocumentString]:
    """The blocks with their tags, and a comment for each page that is an image."""
    for kind, group in groupby(blocks, key=lambda block: block.kind):
        is_list = kind in ("ul", "ol")
        if is_list:
            yield f"<{kind}>\n"
        for block in group:
            while image_pages and image_pages[0] <= block.page:
                yield f"<!-- page {image_pages.pop(0) + 1} is an image -->\n"
            value = f' value="{block.number}"' if kind == "ol" else ""
            name = "li" if is_list else kind
            yield from (f"<{name}{value}>", *_string(block.text), f"</{name}>\n")
        if is_list:
            yield f"</{kind}>\n"
    yield from (f"<!-- page {page + 1} is an image -->\n" for page in image_pages)


def _string(text: str) -> Iterator[str | DocumentString]:
    content = " ".join(text.split())
    if any(map(str.isalpha, content)):
        yield DocumentString(text=content, original=None, render=_escaped)
    else:
        yield _escaped(content)


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)
