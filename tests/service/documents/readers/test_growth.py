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
        "styles": "a{\\b1}a{\\b0}",
        "crossed styles": "a{\\b1}a{\\i0}",
        "open styles": "a{\\b",
        "digits": "1",
        "spaces": " ",
        "tags": "<a ",
    },
    ".vtt": {
        "cues": "00:01.000 --> 00:02.000\na\n\n",
        "lines": "a\n",
        "voices": "<v A>a\n",
        "tags": "<b>a ",
        "closing tags": "<b>a</b></i> ",
        "crossed tags": "<b><i>a</b></i>",
        "open tags": "<a ",
        "references": "&amp;a",
        "spaces": " ",
    },
    ".csv": {
        "rows": 'a,"b"\n',
        "cells": "a,",
        "quotes": '""',
        "spaces": " ",
        "lines": "\n",
    },
    ".tsv": {"rows": "a\tb\n", "cells": "a\t"},
    ".yaml": {
        "values": "a: b\n",
        "items": "- a\n",
        "quoted": '- "a"\n',
        "flow": "- [a, b]\n",
        "blocks": "- |\n  a\n",
        "folded blocks": "- >\n  a\n",
        "blank lines": "\n",
        "comments": "# a\n",
        "anchors": "- &a b\n",
        "documents": "--- a\n",
        "lines of a value": "  a\n",
    },
    ".properties": {
        "values": "a=b\n",
        "continued lines": "a\\\n",
        "escapes": "\\u0041",
        "backslashes": "\\",
        "spaces": " ",
        "patterns": "{0''} a",
    },
    ".strings": {
        "values": '";"a" = "b',
        "comments": '";/* a */"a"="b',
        "letters": "a",
        "escapes": '\\"',
    },
    ".xlf": {
        "units": "<trans-unit id='1'><source>a</source></trans-unit>",
        "targets": "<trans-unit><source>a</source><target state='new'>a</target></trans-unit>",
        "tags": "<trans-unit id='1'><source>a <g id='1'>b</g> <x id='2'/> c</source></trans-unit>",
        "spaces": " ",
        "comments": "<!-- a -->",
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
        "formulas": "$$\na\n$$\n",
        "formulas without an end": "$$a\n",
        "quoted formulas": "> $$a\n",
        "containers": ":::a\n",
    },
    ".json": {
        "strings": '"a", ',
        "escapes": '"\\u0041\\"", ',
        "keys": '{"a": "b"}, ',
        "spaces": "   ",
    },
}
_BEFORE = {
    ".srt": _TIMES,
    ".vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n",
    ".po": 'msgid "',
    ".md": "| x | y |\n|---|---|\n",
    ".json": "[",
    ".strings": '/**/"a" = "b',
    ".xlf": "<xliff version='1.2'><file><body>",
}
_BEHIND = {".json": "0]", ".strings": '";', ".xlf": "</body></file></xliff>"}
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
