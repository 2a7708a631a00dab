"""What holds for the translation of any document."""

import io
from zipfile import ZipFile

from service.documents.formats import read_document
from tests.service.documents.readers.office.capitals import CLOSE, OPEN, translated
from tests.service.documents.readers.office.reference_texts import structure_of, texts_of

KEPT = frozenset(
    [
        "kept as it is",
        "code = kept",
        "Fruit",
        "Number",
        "code = kept ",
        "Hello there",
        "x",
        "code",
        "<number>",
        "much",
        "little",
    ]
)
"""Texts that are code or names."""


def check_document(suffix: str, data: bytes) -> bytes:
    """Translates a document and compares it, with the reference library, with what it was."""
    document = read_document(f"a{suffix}", data)
    strings = document.strings
    assert strings
    assert document.write([string.text for string in strings]) == data
    written = document.write([translated(s.text, s.format) for s in strings], "de")
    before, after = structure_of(data), structure_of(written)
    changed = {name: after[name] - before[name] + (before[name] - after[name]) for name in before}
    assert after == before, {name: counts for name, counts in changed.items() if counts}
    check_untouched(data, written)
    check_texts(texts_of(suffix, data), texts_of(suffix, written))
    return written


def check_texts(before: list[str], after: list[str]) -> None:
    """Each text has one pair of brackets, and capitals in it."""
    assert len(after) == len(before)
    for old, new in zip(before, after, strict=True):
        if old in KEPT and new == old:
            continue
        bare = new.replace(OPEN, "").replace(CLOSE, "")
        assert bare.upper().split() == old.upper().split(), (old, new)
        assert (new.count(OPEN), new.count(CLOSE)) == (1, 1), new
        assert bare != old or old.isupper(), (old, new)


def check_untouched(data: bytes, written: bytes) -> None:
    """Entries without text are the same, packed as they were, in the same order."""
    with ZipFile(io.BytesIO(data)) as old, ZipFile(io.BytesIO(written)) as new:
        assert new.namelist() == old.namelist()
        for before, after in zip(old.infolist(), new.infolist(), strict=True):
            assert after.compress_type == before.compress_type
            assert after.external_attr == before.external_attr
            if old.read(before) == new.read(after):
                assert after.compress_size == before.compress_size
