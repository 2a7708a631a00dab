"""Properties: values change; keys, comments, escapes and line ends stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.readers.catalogs.properties import read

NASTY = [
    "",
    "# only a comment",
    "! another\r\n\r\n",
    "key=value",
    "key = value\n",
    "key:value\n",
    "key value\n",
    "key\tvalue\n",
    "   indented = value   \n",
    "empty=\nother = \nkey\n",
    "key = one \\\n      two \\\r\n  three\n",
    "key \\\n = \\\n value\n",
    "a\\ b\\=c\\:d = value\n",
    "key = a=b:c#d!e\n",
    "key = \\u00fcber \\u4f60\\ud83d\\ude00\n",
    'key = tab\\t line\\n quote\\" slash\\\\ \\z\n',
    "key = \\ leading space\n",
    "key = it''s {0} of {1,number}\n",
    "key = it's {0}\n",
    "key = broken \\ud800 pair\n",
    "key = ends with a backslash\\",
    "# comment \\\nkey = value\r\rnext=x\r",
    "=no key\n:none\n",
    "\ufeffkey = marked\n",
    "key = 你好\nköy = straße\n",
]


@pytest.mark.parametrize("data", NASTY)
def test_unchanged_texts_give_the_same_file(data: str) -> None:
    document = read(data.encode())
    assert document.write([string.text for string in document.strings]).decode() == data


@pytest.mark.parametrize("data", NASTY)
def test_a_translation_is_read_again(data: str) -> None:
    document = read(data.encode())
    new = [f" ü\\{string.text}\n\t😀" for string in document.strings]
    again = read(document.write(new))
    assert [string.text for string in again.strings] == new


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_is_written_as_java_reads_it(text: str) -> None:
    written = read(b"key = value\n").write([text])
    assert written.isascii()
    strings = read(written).strings
    assert [string.text for string in strings] == [text] * any(map(str.isalpha, text))


def test_the_encoding_stays() -> None:
    assert read(b"k = x").write(["ü😀"]) == b"k = \\u00fc\\ud83d\\ude00"
    assert read("k = ä".encode()).write(["ü你"]) == "k = ü你".encode()
    assert read("k = ä".encode("latin-1")).write(["ü你"]) == b"k = \xfc\\u4f60"
    assert read(b"k = \x80x").write(["\x80y"]) == b"k = \x80y"


def test_apostrophes_of_patterns_are_doubled() -> None:
    document = read(b"a = It''s {0}\nb = It's\nc = You have {0}\nd = '{'{0}'}' x\n")
    texts = ["It's {0}", "It's", "You have {0}", "'{'{0}'}' x"]
    assert [string.text for string in document.strings] == texts
    written = document.write(["C'est {0}", "C'est", "T'as {0}", "'{'{0}'}' y"]).decode()
    assert written == "a = C''est {0}\nb = C'est\nc = T''as {0}\nd = '{'{0}'}' y\n"


@pytest.mark.parametrize("data", [d for d in NASTY if "\r" not in d and "\ufeff" not in d])
def test_the_library_sees_the_same_keys(data: str) -> None:
    module = pytest.importorskip(
        "translate.storage.properties", reason="translate-toolkit is not installed"
    )

    def units(content: bytes) -> dict[str, str]:
        store = module.javautf8file()
        store.parse(content)
        return {unit.name: unit.value for unit in store.units if unit.name}

    document = read(data.encode())
    before = units(data.encode())
    after = units(document.write([string.text.upper() for string in document.strings]))
    assert before.keys() == after.keys()


@pytest.mark.parametrize("mark", ["!=", "="])
def test_a_header_of_gettext_is_no_text(mark: str) -> None:
    header = f"{mark}Project-Id-Version\\: x\\nLanguage\\: en_GB\\n\n"
    document = read(f"{header}a=Hello\n".encode())
    assert [string.text for string in document.strings] == ["Hello"]
    assert document.write(["Hallo"], "de").decode() == f"{header}a=Hallo\n"
