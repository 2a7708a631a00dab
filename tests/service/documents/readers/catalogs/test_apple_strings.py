"""Apple's string tables: values change; keys, comments and layout stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.errors import DocumentError
from service.documents.readers.catalogs.apple_strings import read

NASTY = [
    "",
    "/* only a comment */",
    "// only a comment",
    '"key" = "value";',
    '/* Title */\n"key" = "value";\n\n',
    '"key"="value";"other"="text";',
    '"key" =\n    "value"\n;\n',
    'key = "unquoted key";\n',
    "NSKey.a-b/c = word;\n",
    '"key";\n"other" = "value";\n',
    '"a = b;" = "c = d; /* e */ // f";\n',
    '"key" = "say \\"hi\\" and \\\\";\n',
    '"key" = "line\\nnext\\tend";\n',
    '"key" = "raw\nline";\n',
    '"key" = "\\U00fcber \\u4f60";\n',
    '"key" = "octal \\101\\12";\n',
    '"key" = "%@ of %1$@, %d%%, %.2f";\n',
    '/* "a" = "b"; */\n"key" = "value"; // "c" = "d";\n',
    '"key" = "";\n"number" = "12";\n',
    '"key" = "value";\r\n"other" = "text";\r\n',
    '\ufeff"key" = "marked";\n',
    '"key" = "你好 😀";\n',
    '/* a * b / c **/ "key" = "value";\n',
]


@pytest.mark.parametrize("data", NASTY)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_unchanged_texts_give_the_same_file(data: str, encoding: str) -> None:
    content = data.removeprefix("\ufeff").encode(encoding)
    document = read(content)
    assert document.write([string.text for string in document.strings]) == content


@pytest.mark.parametrize("data", NASTY)
def test_a_translation_is_read_again(data: str) -> None:
    document = read(data.encode())
    new = [f' ü\\"{string.text}\n\t😀;' for string in document.strings]
    again = read(document.write(new))
    assert [string.text for string in again.strings] == new


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_is_read_again(text: str) -> None:
    strings = read(read(b'"key" = "value";').write([text])).strings
    assert [string.text for string in strings] == [text] * any(map(str.isalpha, text))


def test_keys_and_comments_are_no_texts() -> None:
    texts = [string.text for string in read(NASTY[17].encode()).strings]
    assert texts == ["value"]
    assert [string.text for string in read(NASTY[14].encode()).strings] == ["über 你"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'"a" = "b"', "line 1"),
        (b'"a" = "b";\n"c" "d";', "line 2"),
        (b'"a" = = "b";', "line 1"),
        (b'"a" = "b;\n', "line 1"),
        (b'"a" = "b";\n/* open', "line 2"),
        (b"{ a = b; }", "line 1"),
        (b"hello world", "line 1"),
        (b"bplist00\xd1\x01", "compiled"),
        (b"<?xml version='1.0'?><plist/>", "line 1"),
    ],
)
def test_another_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read(data)


@pytest.mark.parametrize("data", [d for d in NASTY if d[:1] in ('"', "/") and ";\n" in d])
def test_the_library_sees_the_same_keys(data: str) -> None:
    module = pytest.importorskip(
        "translate.storage.properties", reason="translate-toolkit is not installed"
    )

    def names(content: bytes) -> list[str]:
        store = module.stringsutf8file()
        store.parse(content)
        return [unit.name for unit in store.units if unit.name]

    document = read(data.encode())
    assert names(data.encode()) == names(
        document.write([string.text.upper() for string in document.strings])
    )


HEADER = "Project-Id-Version: x\\nLast-Translator: A <a@b.c>\\nLanguage: en_GB\\nX-Y: z\\n"


@pytest.mark.parametrize("header", [HEADER, HEADER.replace("\\n", "\n"), "Language: en\\n"])
def test_a_header_of_gettext_names_the_language_and_is_no_text(header: str) -> None:
    data = f'"" = "{header}";\n"a" = "Hello";\n'
    document = read(data.encode())
    assert [string.text for string in document.strings] == ["Hello"]
    assert document.write(["Hello"]).decode() == data
    written = document.write(["Hallo"], "de").decode()
    expected = header.replace("en_GB", "de").replace("Language: en\\n", "Language: de\\n")
    assert written == f'"" = "{expected}";\n"a" = "Hallo";\n'


@pytest.mark.parametrize(
    "data", [f'"k" = "{HEADER}";', '"" = "Note: this is a text";', '"" = "x";']
)
def test_other_values_are_no_header(data: str) -> None:
    assert len(read(data.encode()).strings) == 1
