"""A file twice as large takes at most about twice the work, in every format."""

from collections.abc import Callable

import pytest

from service.documents.formats import read_document
from tests.service.growth import assert_linear

_TIMES = "1\n00:00:01,000 --> 00:00:02,000\n"

UNITS: dict[str, dict[str, str]] = {
    ".txt": {
        "paragraphs": "a\n\n",
        "lines": "a\n",
        "carriage returns": "\r",
        "spaces": "  \n",
        "one letter": "a",
        "spaced letters": "a ",
    },
    ".html": {
        "paragraphs": "<p>a",
        "unfinished tags": "<a",
        "unclosed elements": "<b>a ",
        "unclosed quotes": '<a b="',
        "references": "&lt;a ",
        "comments": "<!--",
        "scripts": "<script>",
    },
    ".srt": {
        "subtitles": _TIMES + "a\n\n",
        "lines": "a\n",
        "speakers": "- a\n",
        "ideographs": "漢\n",
        "positions": "{\\a}",
        "digits": "1",
        "spaces": " ",
        "tags": "<a ",
    },
    ".po": {
        "entries": 'msgid "a"\nmsgstr ""\n',
        "strings": '"a"\n',
        "escaped quotes": '\\"',
        "quotes": '"',
        "backslashes": "\\",
        "translations": 'msgstr[1] ""\n',
        "spaces": " ",
        "tabs in lines": "\n\t",
    },
    ".md": {
        "paragraphs": "a\n\n",
        "lines": "a\n",
        "items": "- a\n",
        "quotations": "> a\n",
        "headings": "# a\n",
        "cells": "| a ",
        "rows": "| a | b |\n",
        "links": "[a](b) ",
        "images": "![a](b) ",
        "backticks": "`a` ``",
        "entities": "&amp; ",
        "escapes": "\\*",
        "html": "<a> ",
        "breaks": "a  \n",
        "footnotes": "[^a]: b\n",
    },
    ".json": {
        "strings": '"a", ',
        "escapes": '"\\u0041\\"", ',
        "keys": '{"a": "b"}, ',
        "spaces": "   ",
    },
}
_BEFORE = {".srt": _TIMES, ".po": 'msgid "', ".md": "| x | y |\n|---|---|\n", ".json": "["}
_BEHIND = {".json": "0]"}
_SLOW_PARSER = 10
"""How many times smaller the files are whose parser needs a hundred microseconds a character."""


def _through(suffix: str, data: bytes) -> Callable[[], object]:
    """Reads a file and writes it with other strings."""

    def work() -> object:
        document = read_document(f"a{suffix}", data)
        return document.write([f"{string.text}." for string in document.strings])

    return work


@pytest.mark.parametrize(
    ("suffix", "name"), [(suffix, name) for suffix, units in UNITS.items() for name in units]
)
def test_file(suffix: str, name: str) -> None:
    unit = UNITS[suffix][name]

    def work(size: int) -> Callable[[], object]:
        text = _BEFORE.get(suffix, "") + unit * (size // len(unit)) + _BEHIND.get(suffix, "")
        return _through(suffix, text.encode())

    assert_linear(work, 60_000 // (_SLOW_PARSER if suffix == ".md" else 1))
