"""Which characters the bytes of a file are, and back."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.encoding import decode
from service.documents.errors import DocumentError

UMLAUTS = "Grüße aus Köln\r\n"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_byte_order_mark_decides_and_comes_back(mark: bytes, name: str, text: str) -> None:
    data = mark + text.encode(name)
    decoded, encoding = decode(data)
    assert decoded == text
    assert encoding.encode(decoded) == data


@given(st.binary())
def test_bytes_come_back_or_are_no_text(data: bytes) -> None:
    for may_declare in (False, True):
        try:
            text, encoding = decode(data, may_declare=may_declare)
        except DocumentError:
            continue
        assert encoding.encode(text) == data


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_by_its_zeros(name: str) -> None:
    text, encoding = decode(UMLAUTS.encode(name))
    assert (text, encoding.name) == (UMLAUTS, name)


def test_what_is_no_unicode_is_western() -> None:
    text, encoding = decode("„Grüße“ – 5 €".encode("cp1252"))
    assert (text, encoding.name) == ("„Grüße“ – 5 €", "cp1252")


def test_bytes_that_western_leaves_open_are_latin_1() -> None:
    assert decode(b"\xfc \x81")[0] == "ü \x81"


@pytest.mark.parametrize("data", [b"PK\x03\x04\0\0\0", b"a\0b", codecs.BOM_UTF16_LE + b"a\0\0"])
def test_binary_files_are_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"not a text file|is not utf"):
        decode(data)


def test_declaration_counts_only_where_the_format_has_it() -> None:
    data = b"charset=koi8-r\n" + "привет".encode("koi8-r")
    assert decode(data, may_declare=True)[0].endswith("привет")
    assert decode(data)[1].name == "cp1252"


def test_utf_8_that_says_it_is_something_else_is_utf_8() -> None:
    data = "charset=iso-8859-1 ü".encode()
    assert decode(data, may_declare=True)[1].name == "utf-8"


def test_what_is_added_to_ascii_is_in_the_declared_encoding() -> None:
    text, encoding = decode(b"charset=iso-8859-1 u", may_declare=True)
    assert encoding.encode(text.replace(" u", " ü")) == b"charset=iso-8859-1 \xfc"


@pytest.mark.parametrize(
    "name", ["no-such", "rot13", "utf-16", "hex", "utf-7", "x" * 99, "idna", ""]
)
def test_useless_declarations_are_not_looked_at(name: str) -> None:
    assert decode(f"charset={name}".encode(), may_declare=True)[1].name == "utf-8"


def test_characters_that_the_encoding_lacks_make_the_file_utf_8() -> None:
    _, encoding = decode(b"gr\xfcn")
    assert encoding.encode("зелёный") == "зелёный".encode()


def test_a_file_that_becomes_utf_8_says_so() -> None:
    text, encoding = decode(b"charset=iso-8859-1\n\xfc", may_declare=True)
    assert encoding.encode(text + "€") == "charset=UTF-8\nü€".encode()
