"""An office document twice as large takes at most about twice the work."""

from collections.abc import Callable, Mapping

import pytest

from service.documents.formats import FORMATS, read_document
from tests.service.documents.readers.office.archives import SUFFIXES, document
from tests.service.documents.readers.test_growth import UNITS as TEXT_UNITS
from tests.service.growth import assert_linear

_SIZE = 30_000

UNITS: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    ".docx": {
        "paragraphs": ("", "<w:p><w:r><w:t>a</w:t></w:r></w:p>", ""),
        "runs": ("<w:p>", "<w:r><w:t>a</w:t></w:r>", "</w:p>"),
        "runs of two looks": (
            "<w:p>",
            "<w:r><w:t>a</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>b</w:t></w:r>",
            "</w:p>",
        ),
        "tabs": ("<w:p>", "<w:r><w:t>a</w:t><w:tab/></w:r>", "</w:p>"),
        "texts of a run": ("<w:p><w:r>", "<w:t>a</w:t>", "</w:r></w:p>"),
        "links": ("<w:p>", "<w:hyperlink><w:r><w:t>a</w:t></w:r></w:hyperlink>", "</w:p>"),
        "fields that do not end": (
            "<w:p>",
            '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:t>a</w:t></w:r>',
            "</w:p>",
        ),
        "bookmarks that do not end": (
            "<w:p>",
            '<w:bookmarkStart w:id="1"/><w:r><w:t>a</w:t></w:r>',
            "</w:p>",
        ),
        "text boxes": (
            "<w:p>",
            "<w:r><w:t>a</w:t></w:r><w:r><w:pict><w:p><w:r><w:t>b</w:t></w:r></w:p></w:pict></w:r>",
            "</w:p>",
        ),
        "attributes": ("<w:p>", '<w:x w:y="z"/>', "</w:p>"),
    },
    ".pptx": {
        "runs": ("<a:p>", "<a:r><a:rPr/><a:t>a</a:t></a:r>", "</a:p>"),
        "paragraphs": ("", "<a:p><a:r><a:rPr lang='a'/><a:t>a</a:t></a:r></a:p>", ""),
    },
    ".xlsx": {
        "cells": ("", "<c><is><t>a</t></is></c>", ""),
        "runs": ("<is>", "<r><rPr/><t>a</t></r><r><t>b</t></r>", "</is>"),
        "lines": ("<is><r><t>", "a\n", "</t></r></is>"),
        "codes of a header": ("<oddHeader>", "a&amp;P", "</oddHeader>"),
    },
    ".odt": {
        "spans": ("<text:p>", '<text:span text:style-name="a">a</text:span>', "</text:p>"),
        "spaces": ("<text:p>a", "<text:s/>", "b</text:p>"),
        "styles": ("", '<style:style style:name="a" style:family="text"/>', ""),
        "comments": ("<text:p>", "a<!-- b -->", "</text:p>"),
        "references": ("<text:p>", "&amp;", "a</text:p>"),
        "notes": ("<text:p>", "a<text:note><text:p>b</text:p></text:note>", "</text:p>"),
    },
    ".odp": {"paragraphs": ("", "<text:p>a</text:p>", "")},
    ".ods": {"cells": ("", '<table:table-cell office:string-value="a"/>', "")},
    ".epub": {
        "paragraphs": ("", "<p>a</p>", ""),
        "blocks": ("<div>", "a<p>b</p>", "</div>"),
        "inline elements": ("<p>", "<b>a</b> c", "</p>"),
        "images": ("<p>a", "<img alt='b'/>", "</p>"),
        "code": ("<p>a", "<code>b</code>", "</p>"),
    },
}


@pytest.mark.parametrize(
    ("suffix", "name"), [(suffix, name) for suffix, units in UNITS.items() for name in units]
)
def test_document(suffix: str, name: str) -> None:
    before, unit, behind = UNITS[suffix][name]

    def work(size: int) -> Callable[[], object]:
        data = document(suffix, before + unit * (size // len(unit)) + behind)

        def translate() -> object:
            parsed = read_document(f"a{suffix}", data)
            return parsed.write([f"{string.text}." for string in parsed.strings], "de")

        return translate

    assert_linear(work, _SIZE)


def test_every_format_is_tried() -> None:
    assert tuple(UNITS) == SUFFIXES
    others = {".pdf", ".htm", ".yml", ".xliff"}  # its own test, and second names
    assert {*UNITS, *TEXT_UNITS, *others} == {*FORMATS}
