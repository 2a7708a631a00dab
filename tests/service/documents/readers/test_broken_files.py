"""Files with errors in them: refused with a reason, or read, written, and read again."""

import random
from collections.abc import Sequence

import pytest

from service.documents.errors import DocumentError
from service.documents.formats import read_document
from tests.service.documents.readers.office.archives import document as packed

WHOLE = {
    ".vtt": b"WEBVTT\n\nNOTE x\n\nid\n"
    b"00:01.000 --> 00:02.000 a:b\n<v Bob>Hi <b>you</b>\n- A &amp;\n",
    ".csv": b'id,title,text\r\n1,"Hello, ""you""",plain text\r\n2,," a\r\nb "\r\n',
    ".tsv": b"id\ttitle\n1\thello\n",
    ".yaml": b'a: &x Hello # c\nb:\n  - "x y"\n  - |\n    li ne\n      m\n'
    b"  - >-\n    fo ld\n    ed\n"
    b"? k\n: {v: [one, 'two']}\n---\nz: !!str t\n",
    ".properties": b"# c\nkey = value\\\n   more\nk2:L\\u00e4uft \\n x\nmsg=It''s {0} o\n",
    ".strings": b'/* c */\n"a" = "Hello \\"you\\" %@";\nb = "xy";// d\n"c";\n',
    ".xlf": b'<xliff version="1.2"><file source-language="en"><body>\n'
    b'<trans-unit id="1">\n<source>Hello '
    b'<g id="1">world</g> &amp; <x id="2"/>!</source>\n</trans-unit><trans-unit id="2"><source>'
    b'<bpt id="1"/>x<ept id="1"/></source><target state="new">Fertig</target></trans-unit></body>'
    b"</file></xliff>",
}
_DIGITS = "1" * 5_000
"""More than Python reads as a number."""
_ZEROS = "0" * 5_000
LONG_NUMBERS = [
    ("a.json", f'{{"a": "Hello", "b": {_DIGITS}}}'.encode()),
    ("a.json", f'{{"": {{"plural_forms": "x", "n": {_DIGITS}}}, "b": "Hello"}}'.encode()),
    ("a.html", f'<img alt="Hello &#{_DIGITS};">'.encode()),
    ("a.vtt", f"WEBVTT\n\n00:01.000 --> 00:02.000\nHello &#{_DIGITS};\n".encode()),
    ("a.xlf", WHOLE[".xlf"].replace(b"&amp;", f"&#{_ZEROS}38;".encode())),
    ("a.odt", packed(".odt", f'<text:p>Hello<text:s text:c="{_DIGITS}"/></text:p>')),
    ("a.docx", packed(".docx", f"<w:p><w:r><w:t>Hello &#{_ZEROS}65;</w:t></w:r></w:p>")),
]
TOKENS = [b'"', b"'", b"\n", b"\r", b":", b" ", b"  ", b"\t", b"#", b"|", b">", b"<", b"&", b"\\",
          b"\\u12", b"- ", b"? ", b"[", b"]", b"{", b"}", b",", b"=", b";", b"!", b"*", b"\xff",
          b"\xe2\x80\xa8", b"\x85", b"\0", b"---\n", b"...", b"\xef\xbb\xbf", b"/*", b"*/", b"<b>",
          b"</b>", b"-->", b"\xf0\x9f\x98\x80", b"<source>", b"</source>", b"<target>", b"&#0;",
          b"&#xD800;", b"<g>", b"</g>", b"<x/>", b"state='final'"]  # fmt: skip
TEXTS = ["Größe: x", "#a", "- b", "a\nb", "  lead", "'q' \"d\"", "x, y; z\tt", "😀", "yes", "1", "",
         "a\u2028b\x85", "{x}: [y]", "@a `b`", "a\n\n  b\nc  ", "--- x", "C:\\new"]  # fmt: skip


def _broken(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        at = chance.randrange(len(data) + 1)
        kind = chance.random()
        if kind < 0.5:
            data = data[:at] + chance.choice(TOKENS) + data[at:]
        elif kind < 0.75:
            data = data[:at] + data[at + chance.randint(1, 6) :]
        else:
            start = chance.randrange(len(data) + 1)
            data = data[:at] + data[start : start + 20] + data[at:]
    return data


@pytest.mark.parametrize("suffix", WHOLE)
def test_broken_files_are_refused_or_read(suffix: str) -> None:
    chance = random.Random(suffix)
    num_read = 0
    for _ in range(400):
        data = _broken(WHOLE[suffix], chance)
        try:
            document = read_document(f"a{suffix}", data)
        except DocumentError:
            continue
        num_read += 1
        strings = document.strings
        if suffix != ".xlf":
            assert document.write([string.text for string in strings]) == data
        _check_written(suffix, document.write(_others([s.text for s in strings], chance), "de"))
    assert num_read > 20


def _others(texts: Sequence[str], chance: random.Random) -> list[str]:
    return [text if "<" in text else chance.choice(TEXTS) for text in texts]


def _check_written(suffix: str, data: bytes) -> None:
    """What was written is such a file again."""
    read_document(f"a{suffix}", data)


@pytest.mark.parametrize(("name", "data"), LONG_NUMBERS)
def test_numbers_may_have_any_number_of_digits(name: str, data: bytes) -> None:
    document = read_document(name, data)
    texts = [string.text for string in document.strings]
    assert "Hello" in texts[0]
    _check_written(f".{name[2:]}", document.write([f"{text} x" for text in texts], "de"))
