"""Content of `.docx`, `.pptx`, `.odt` and `.odp`, read from their XML."""

import io
import re
from collections.abc import Iterator, Mapping
from zipfile import ZipFile

from lxml import etree

from benchmarks.documents.content import (
    Content,
    Element,
    attribute,
    is_within,
    name_of,
)

_RUNS = re.compile(
    r"(r|t|span|s|rPr|rFonts|lang|proofErr|noProof|lastRenderedPageBreak|bookmark.*)"
)
"""Elements that may be fewer or more, because adjacent runs are merged."""
_DOCX_PLACES = (
    ("word/header", "headers and footers"),
    ("word/footer", "headers and footers"),
    ("word/footnotes", "notes"),
    ("word/endnotes", "notes"),
    ("word/comments", "comments"),
    ("word/document", "body"),
)
_PPTX_PLACES = (
    ("ppt/slides/", "body"),
    ("ppt/notesSlides/", "speaker notes"),
    ("ppt/comments/", "comments"),
    ("ppt/charts/", "charts"),
)
_CODE_STYLES = (
    "VerbatimChar",
    "SourceCode",
    "Source_Text",
    "Source_20_Text",
    "Preformatted_20_Text",
)
_BREAKS = ("br", "cr", "line-break", "tab")
_NESTED = ("p", "h", "note", "annotation", "del", "frame", "custom-shape", "pict", "drawing")


def read_office(data: bytes) -> Content:
    """Content of an office document, whatever its format."""
    content = Content()
    with ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            content.packing[f"{info.filename} {info.compress_type}"] += 1
            entry = archive.read(info)
            if not entry or not info.filename.endswith((".xml", ".rels")):
                content.files[info.filename] = entry
                continue
            root = etree.fromstring(entry)
            for element in root.iter():
                _count(content, element)
            _add_texts(content, info.filename, root)
    return content


def _count(content: Content, element: Element) -> None:
    name = name_of(element)
    if name and not _RUNS.fullmatch(name) and not is_within(element, "rPr"):
        content.elements[name] += 1
    code = _language_of(element, name)
    if code and code != "none" and code != "zxx":
        content.languages[code.partition("-")[0].lower()] += 1
    if name == "blip" or (name == "image" and attribute(element, "href")):
        content.images[attribute(element, "embed") or attribute(element, "href")] += 1


def _language_of(element: Element, name: str) -> str:
    if name == "language":
        return (element.text or "").strip()
    if name == "lang":
        return attribute(element, "val")
    return attribute(element, "lang") or attribute(element, "language")


def _add_texts(content: Content, entry: str, root: Element) -> None:
    if entry in ("docProps/core.xml", "meta.xml"):
        for element in root.iter("{*}title"):
            content.add_text("title", element.text or "")
    place = _place_of(entry)
    if place is None:
        return
    looks = _looks(root)
    for element in root.iter("{*}p", "{*}h"):
        _add_paragraph(content, _inner_place(element, place), element, looks)
    for element in root.iter("{*}docPr", "{*}cNvPr"):
        if attribute(element, "descr"):
            content.add_text("alternative texts", attribute(element, "descr"))
    for element in root.iter("{*}desc"):
        content.add_text("alternative texts", element.text or "")


def _place_of(entry: str) -> str | None:
    if entry == "content.xml":
        return "body"
    if entry == "styles.xml":
        return "headers and footers"
    for start, place in (*_DOCX_PLACES, *_PPTX_PLACES):
        if entry.startswith(start) and "/_rels/" not in entry:
            return place
    return None


def _inner_place(element: Element, place: str) -> str:
    if is_within(element, "note"):
        return "notes"
    if is_within(element, "annotation"):
        return "comments"
    if is_within(element, "notes"):
        return "speaker notes"
    if is_within(element, "tc", "table-cell"):
        return "cells"
    return place


def _add_paragraph(
    content: Content, place: str, element: Element, looks: Mapping[str, str]
) -> None:
    runs = [*_runs(element, _base_look(element, looks), looks)]
    code = [text for look, text in runs if look == "code" and text.strip()]
    content.code.update(code)
    if not code:  # what becomes of the words around code is a matter of taste
        content.add_text(place, "".join(text for _, text in runs))
    content.add_stretches(runs)
    for link in element.iter("{*}hyperlink", "{*}a"):
        _add_link(content, link)
    for click in element.iter("{*}hlinkClick"):
        content.links[attribute(click, "id")] += 1


def _base_look(element: Element, looks: Mapping[str, str]) -> str:
    """Whether the whole paragraph is code, by its style."""
    style = attribute(element, "style-name")
    is_code = style in _CODE_STYLES or looks.get(style) == "code"
    return "code" if is_code else ""


def _add_link(content: Content, link: Element) -> None:
    target = attribute(link, "href") or attribute(link, "id") or attribute(link, "anchor")
    if target and "".join(link.itertext()).strip():
        content.links[target] += 1


def _runs(element: Element, look: str, looks: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Look and text of each run of a paragraph, without paragraphs and notes within it."""
    is_text = name_of(element) not in ("r", "pPr", "rPr", "hyperlink", "fldSimple", "instrText")
    if element.text and is_text and not _is_wordprocessing_frame(element):
        yield look, element.text
    for child in element:
        name = name_of(child)
        if name in _BREAKS and not is_within(child, "pPr", "tabs"):
            yield look, "\n"
        elif name == "s":
            yield look, " "
        elif name and name not in _NESTED and name not in ("pPr", "rPr"):
            yield from _runs(child, _look_of(child, look, looks), looks)
        if child.tail and not _is_wordprocessing_frame(element):
            yield look, child.tail


def _is_wordprocessing_frame(element: Element) -> bool:
    """Whether white space here is that of the file: only `t` has text in Office Open XML."""
    in_office_open_xml = "openxmlformats" in element.tag
    return in_office_open_xml and name_of(element) != "t"


def _look_of(element: Element, look: str, looks: Mapping[str, str]) -> str:
    style = attribute(element, "style-name")
    if name_of(element) == "span":
        return looks.get(style, "code" if style in _CODE_STYLES else f"style {style}") or look
    if name_of(element) != "r":
        return look
    properties = [child for child in element if name_of(child) == "rPr"]
    return _run_look(properties[0]) if properties else ""


def _run_look(properties: Element) -> str:
    found = [f"{key}=1" for key in ("b", "i") if properties.get(key) in ("1", "true")]
    for child in properties:
        name, value = name_of(child), attribute(child, "val")
        if name == "rStyle" and value in _CODE_STYLES:
            return "code"
        if name in ("b", "i", "u", "strike", "vertAlign", "rStyle", "color", "highlight"):
            found.append(f"{name}={value}")
    return " ".join(found)


def _looks(root: Element) -> dict[str, str]:
    """Looks of the automatic styles of a text document: names differ where nothing is seen."""
    return {attribute(style, "name"): _style_look(style) for style in root.iter("{*}style")}


def _style_look(style: Element) -> str:
    if attribute(style, "parent-style-name") in _CODE_STYLES:
        return "code"
    wanted = ("font-weight", "font-style", "text-underline-style", "text-position", "color")
    found = [attribute(style, "parent-style-name")]
    for properties in style:
        found += [f"{key}={value}" for key in wanted if (value := attribute(properties, key))]
    return " ".join(filter(None, found))
