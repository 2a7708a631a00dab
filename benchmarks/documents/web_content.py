"""Content of `.html` and `.epub`."""

import io
import re
from collections.abc import Iterator
from zipfile import ZipFile

from lxml import etree, html

from benchmarks.documents.content import Content, Element, is_within, name_of

_BLOCKS = (
    "address", "article", "aside", "blockquote", "body", "caption", "dd", "div", "dl", "dt",
    "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "li", "main",
    "nav", "ol", "p", "pre", "section", "table", "tbody", "td", "th", "thead", "title", "tr", "ul",
)  # fmt: skip
_LOOKS = ("b", "strong", "i", "em", "u", "s", "del", "sup", "sub", "small", "mark")
_SPACES = re.compile(r"\s+")
_PAGE = re.compile(r"page-\d+")
"""Anchor of a page of what was a PDF."""
_SILENT = ("script", "style", "svg", "math")


def read_html(data: bytes) -> Content:
    """Content of a web page."""
    content = Content()
    _add_page(content, data)
    start = data[:200].decode("latin-1").lower()
    content.packing["doctype" if "<!doctype" in start else "no doctype"] += 1
    content.packing["declaration" if start.startswith("<?xml") else "no declaration"] += 1
    return content


def read_epub(data: bytes) -> Content:
    """Content of a book: its pages, its tables of contents, its title."""
    content = Content()
    with ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            content.packing[f"{info.filename} {info.compress_type}"] += 1
            entry = archive.read(info)
            if info.filename.endswith((".xhtml", ".html")):
                _check_form(content, info.filename, entry)
                _add_page(content, entry)
            elif info.filename.endswith((".opf", ".ncx")):
                _check_form(content, info.filename, entry)
                _add_metadata(content, etree.fromstring(entry, etree.XMLParser(recover=True)))
            elif not info.filename.endswith(".xml"):
                content.files[info.filename] = entry
    return content


def _check_form(content: Content, name: str, entry: bytes) -> None:
    """A book whose pages are no XML opens only in readers that forgive it."""
    try:
        etree.fromstring(entry)
    except etree.XMLSyntaxError as error:
        content.faults.append(f"{name}: {error}")


def _add_metadata(content: Content, root: Element) -> None:
    for element in root.iter("{http://purl.org/dc/elements/1.1/}*"):
        if name_of(element) == "title":
            content.add_text("title", element.text or "")
        elif name_of(element) == "language":
            content.languages[(element.text or "").strip().partition("-")[0]] += 1
    for element in root.iter("{*}navLabel", "{*}docTitle"):
        content.add_text("navigation", "".join(element.itertext()).strip())


def _add_page(content: Content, data: bytes) -> None:
    root = html.document_fromstring(data)
    for element in root.iter():
        name = name_of(element).rpartition(":")[2]
        if name:
            _count(content, element, name)
        if name in _BLOCKS and not is_within(element, "pre"):
            _add_block(content, element, name)


def _count(content: Content, element: Element, name: str) -> None:
    content.elements[name] += 1
    if name == "section" and _PAGE.fullmatch(element.get("id", "")):
        content.elements["page"] += 1
    text = "".join(element.itertext()).strip()
    if name == "html" and (element.get("lang") or element.get("xml:lang")):
        code = element.get("lang") or element.get("xml:lang")
        content.languages[code.partition("-")[0].lower()] += 1
    if name in _LOOKS and any(map(str.isalpha, text)):
        content.looks[name] += 1
    if name == "a" and element.get("href") and text:
        content.links[element.get("href")] += 1
    if name == "img":
        content.images[element.get("src", "")[:200]] += 1
        content.add_text("alternative texts", element.get("alt", ""))
    if name in ("script", "style", "pre"):
        content.code["".join(element.itertext())] += 1


def _add_block(content: Content, element: Element, name: str) -> None:
    """Add the paragraphs of a block: its text up to the next block within it."""
    if name == "pre":
        return
    place = "title" if name == "title" else "cells" if name in ("td", "th") else "body"
    if is_within(element, "nav"):
        place = "navigation"
    pieces = "".join(_inline(element)).split("\0")
    for piece in pieces:
        if "\1" in piece:
            continue  # code among words: what a reader makes of it differs by design
        content.add_text(place, piece.strip())


def _inline(element: Element) -> Iterator[str]:
    """Text, with NUL where a block is, and a mark where code is."""
    yield _collapsed(element.text)
    for child in element:
        name = name_of(child).rpartition(":")[2]
        if name in _BLOCKS or name == "hr":
            yield "\0"
        elif name in ("code", "kbd", "samp"):
            yield "\1"
        elif name == "br":
            yield "\n"
        elif name and name not in _SILENT:
            yield from _inline(child)
        yield _collapsed(child.tail)


def _collapsed(text: str | None) -> str:
    """Text with single spaces, as a browser shows it."""
    return _SPACES.sub(" ", text or "")
