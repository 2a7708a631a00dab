"""Archives that are damaged, hostile or unusual, in every format."""

import io
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping

import pytest

from service.documents.errors import DocumentError
from service.documents.formats import read_document
from tests.service.documents.readers.office.archives import (
    MAIN,
    SUFFIXES,
    body,
    document,
    entries,
    paragraph,
    unzipped,
    zipped,
)

Make = Callable[[str], bytes]


def _with_main(change: Callable[[bytes], bytes]) -> Make:
    def make(suffix: str) -> bytes:
        files = entries(suffix)
        return zipped({**files, MAIN[suffix]: change(files[MAIN[suffix]])})

    return make


def _with_doctype(subset: str) -> Make:
    return _with_main(lambda main: f"<!DOCTYPE a {subset}>".encode() + main.replace(b"H", b"&e;"))


def _with_flag(flag: int) -> Make:
    def make(suffix: str) -> bytes:
        data = bytearray(document(suffix))
        record = data.index(b"PK\1\2")
        data[record + 8] |= flag
        return bytes(data)

    return make


def _with_two(suffix: str) -> bytes:
    names = {"1" + MAIN[suffix][1:]: entries(suffix)[MAIN[suffix]], **entries(suffix)}
    return zipped(names).replace(b"1" + MAIN[suffix][1:].encode(), MAIN[suffix].encode())


def _overlapping(suffix: str) -> bytes:
    data = bytearray(document(suffix))
    last = data.rindex(b"PK\1\2")
    data[last + 42 : last + 46] = struct.pack("<L", 4)
    return bytes(data)


def _damaged(suffix: str) -> bytes:
    data = zipped(entries(suffix), zipfile.ZIP_STORED)
    return data.replace(b"Hello there", b"Hallo there")


def _of_other_size(suffix: str) -> bytes:
    data = bytearray(document(suffix))
    for record in _records(data):
        data[record + 24 : record + 28] = struct.pack("<L", 9)
    return bytes(data)


def _records(data: bytearray) -> list[int]:
    found, position = [], data.find(b"PK\1\2")
    while position >= 0:
        found.append(position)
        position = data.find(b"PK\1\2", position + 4)
    return found


REFUSED: Mapping[str, tuple[Make, str]] = {
    "nothing": (lambda _: b"", "no ZIP archive"),
    "text": (lambda _: b"Hello there", "no ZIP archive"),
    "cut off": (lambda suffix: document(suffix)[:-30], "no ZIP archive"),
    "without its beginning": (lambda suffix: document(suffix)[200:], "no ZIP archive|overlap"),
    "an old Office file": (lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 99, "password"),
    "no entries": (lambda _: zipped({}), "it has no|not a"),
    "without the main entry": (
        lambda suffix: zipped({n: b"<x/>" for n in entries(suffix) if n != MAIN[suffix]}),
        "not a|no XML",
    ),
    "of another format": (
        lambda suffix: document(".odt" if suffix != ".odt" else ".odp"),
        "not a",
    ),
    "two entries of one name": (_with_two, "the same name"),
    "overlapping entries": (_overlapping, "overlap"),
    "an encrypted entry": (_with_flag(1), "encrypted"),
    "another checksum": (_damaged, "damaged"),
    "another size": (_of_other_size, "damaged"),
    "too many entries": (
        lambda suffix: zipped({**{f"{n}": b"" for n in range(10_001)}, **entries(suffix)}),
        "the limit is 10000",
    ),
    "a bomb": (_with_main(lambda main: main + b" " * 40_000_000), "over 250 times"),
    "no XML": (_with_main(lambda _: b"Hello there"), "no XML"),
    "two roots": (_with_main(lambda main: main + main), "no XML"),
    "an entity": (_with_doctype('[<!ENTITY e "e">]'), "defines entities"),
    "an entity of a file": (_with_doctype('[<!ENTITY e SYSTEM "/etc/passwd">]'), "entities"),
    "a bomb of entities": (
        _with_doctype('[<!ENTITY d "dddddddd"><!ENTITY e "&d;&d;&d;&d;&d;&d;">]'),
        "defines entities",
    ),
    "entities of a parameter": (
        _with_doctype('[<!ENTITY % p SYSTEM "http://example.org/"> %p;]'),
        "defines entities",
    ),
    "an unknown encoding": (
        _with_main(lambda main: b'<?xml version="1.0" encoding="x-none"?>' + main),
        "encoding that is not read",
    ),
    "another encoding than declared": (
        _with_main(lambda main: b'<?xml version="1.0" encoding="shift_jis"?>' + main + b"\x80"),
        "is not shift_jis",
    ),
    "deep nesting": (
        lambda suffix: document(suffix, "<a>" * 300 + "</a>" * 300),
        "in each other",
    ),
    "characters that XML has not": (
        _with_main(lambda main: main.replace(b"Hello", b"\0Hello\x01")),
        "no XML",
    ),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_document_is_refused_with_its_reason(name: str, suffix: str) -> None:
    make, reason = REFUSED[name]
    data = make(suffix)
    with pytest.raises(DocumentError, match=reason):
        _read(suffix, data)


def _stored(suffix: str) -> bytes:
    return zipped(entries(suffix), zipfile.ZIP_STORED)


def _streamed(suffix: str) -> bytes:
    """Sizes behind the entries, as written by programs that cannot go back."""

    class Stream(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries(suffix).items():
            archive.writestr(name, content)
    return stream.data


def _large(suffix: str) -> bytes:
    """Sizes of 64 bits in local headers."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries(suffix).items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(content)
    return stream.getvalue()


def _commented(suffix: str) -> bytes:
    stream = io.BytesIO(b"#!something before\n" + document(suffix))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.comment = b"a comment"
        archive.writestr("last/", b"")
    return stream.getvalue()


READ: Mapping[str, Make] = {
    "stored": _stored,
    "streamed": _streamed,
    "sizes of 64 bits": _large,
    "bytes before, a comment behind": _commented,
    "UTF-8 with a mark": _with_main(lambda main: b"\xef\xbb\xbf" + main),
    "UTF-16": _with_main(lambda main: main.decode().encode("utf-16")),
    "Latin 1": _with_main(
        lambda main: b'<?xml version="1.0" encoding="iso-8859-1"?><!--\xe4-->' + main
    ),
    "a document type": _with_main(
        lambda main: b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "x.dtd">' + main
    ),
    "an instruction and a comment": _with_main(
        lambda main: b"<?x <y> ?><!-- <z> -->\r\n" + main + b"\n<!-- end -->"
    ),
    "a comment in a text": _with_main(lambda main: main.replace(b"Hello ", b"Hello <!-- x -->")),
    "CDATA": _with_main(lambda main: main.replace(b"Hello there", b"<![CDATA[Hello there]]>")),
    "references": _with_main(lambda main: main.replace(b"Hello", b"&#72;ell&#x6f;")),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", READ)
def test_unusual_archives_are_read_and_written(name: str, suffix: str) -> None:
    data = READ[name](suffix)
    parsed = read_document(f"a{suffix}", data)
    assert [" ".join(string.text.split()) for string in parsed.strings] == ["Hello there"]
    if name != "sizes of 64 bits":
        assert parsed.write([string.text for string in parsed.strings]) == data
    written = parsed.write(["Grüße & <Küsse>"], "de")
    assert _read(suffix, written) == ["Grüße & <Küsse>"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_changed_entry_differs_only_where_its_text_stands(suffix: str) -> None:
    hostile = "<x y='<>' z=\"'\" />"
    if suffix == ".epub":
        hostile = hostile.replace("<>", "&lt;>")
    hostile = hostile.replace("<>", "&lt;>")
    content = f"<?a?>\r\n{hostile}\t{paragraph(suffix)}<!-- b --> \n"
    parsed = read_document(f"a{suffix}", document(suffix, content))
    written = unzipped(parsed.write(["HELLO"]), MAIN[suffix])
    before, _, behind = body(suffix, content).partition(paragraph(suffix))
    assert written.startswith(before)
    assert written.endswith(behind)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_broken_bytes_are_refused_and_never_an_error_of_ours(suffix: str) -> None:
    data = document(suffix, paragraph(suffix) * 20)
    chance = random.Random(suffix)
    tracemalloc.start()
    num_refused = 0
    for number in range(400):
        broken = _broken(data, chance) if number % 2 else _broken_inside(suffix, chance)
        try:
            texts = _read(suffix, broken)
            read_document(f"a{suffix}", broken).write(["x"] * len(texts), "de")
        except DocumentError:
            num_refused += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert num_refused > 40
    assert peak < 20_000_000


def _broken(data: bytes, chance: random.Random) -> bytes:
    """With some bytes changed, left out or repeated."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(max(1, len(changed)))
        match chance.randrange(3):
            case 0:
                changed[at : at + 1] = chance.randbytes(1)
            case 1:
                del changed[at : at + chance.randint(1, 20)]
            case _:
                changed[at:at] = changed[at : at + chance.randint(1, 20)]
    return bytes(changed)


def _broken_inside(suffix: str, chance: random.Random) -> bytes:
    """A sound archive with a broken entry."""
    files = entries(suffix)
    name = chance.choice([*files])
    return zipped({**files, name: _broken(files[name], chance)})


def _read(suffix: str, data: bytes) -> list[str]:
    return [string.text for string in read_document(f"a{suffix}", data).strings]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"<text:p>{'Hello ' * 5_000}</text:p>" * 140, "4194304 characters"),
        ("<a/>" * 1_000_001, "1000000 elements"),
        (" " * 67_200_000, "67108864 bytes"),
    ],
    ids=["text", "elements", "bytes"],
)
def test_large_documents_are_refused_with_the_limit(content: str, reason: str) -> None:
    data = zipped(entries(".odt", content), zipfile.ZIP_STORED)
    with pytest.raises(DocumentError, match=reason):
        for _ in read_document("a.odt", data).iter_strings():
            pass
