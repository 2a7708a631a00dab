"""Content of `.txt`, `.srt` and `.pdf`."""

import codecs
import re

from benchmarks.documents.content import Content, Element, collapsed

_TIMES = re.compile(r"(\d+:\d+:\d+[.,]\d+\s*-->\s*\d+:\d+:\d+[.,]\d+)[^\n]*\n")
_TAG = re.compile(r"</?[a-z][^>]*>|\{\\[^}]*\}")


def read_text(data: bytes) -> Content:
    """Content of a text: its lines."""
    content = Content()
    for line in _decoded(content, data).splitlines():
        content.add_text("body", line.strip())
        content.elements["blank line" if not line.strip() else "line"] += 1
    return content


def read_subtitles(data: bytes) -> Content:
    """Content of subtitles: each as one text, and the times."""
    content = Content()
    _, *cues = _TIMES.split(_decoded(content, data).replace("\r\n", "\n"))
    for times, cue in zip(cues[::2], cues[1::2], strict=True):
        text = re.split(r"\n\s*\n", cue)[0]
        content.elements[times] += 1
        content.looks.update(tag for tag in _TAG.findall(text) if not tag.startswith("</"))
        content.add_text("body", collapsed(_TAG.sub("", text)))
    return content


def read_pdf(data: bytes) -> Content:
    """Content of a PDF: the text of all pages as one, and numbers of pages, images and links."""
    import pypdfium2

    content = Content()
    document = pypdfium2.PdfDocument(data)
    texts = []
    for page in document:
        content.elements["page"] += 1
        texts.append(page.get_textpage().get_text_bounded())
        content.images["image"] += sum(1 for _ in page.get_objects(filter=[_IMAGE]))
        content.links["link"] += _num_links(page)
    content.add_text("body", " ".join(texts))
    return content


_IMAGE = 3
"""PDFium's number of the kind of page object."""


def _num_links(page: Element) -> int:
    from ctypes import byref, c_int

    from pypdfium2 import raw

    position, link, count = c_int(0), raw.FPDF_LINK(), 0
    while raw.FPDFLink_Enumerate(page.raw, byref(position), byref(link)):
        count += 1
    return count


def _decoded(content: Content, data: bytes) -> str:
    has_mark = data.startswith(codecs.BOM_UTF8)
    content.packing["byte order mark" if has_mark else "no byte order mark"] += 1
    for name, end in (("CR LF", b"\r\n"), ("line ends", b"\n"), ("at the end", data[-1:])):
        if name == "at the end":
            content.packing["ends with a line end" if end == b"\n" else "open end"] += 1
        elif end in data:
            content.packing[name] += 1
    return data.decode("utf-8-sig")
