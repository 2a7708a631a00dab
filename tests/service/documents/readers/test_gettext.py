"""Gettext catalogues: only what lacks a translation changes."""

import polib
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.documents.errors import DocumentError
from service.documents.readers.gettext import read

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
MESSAGES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n\t"\\'), min_size=1
)


def _texts(data: str) -> list[str]:
    return [string.text for string in read(data.encode()).strings]


def test_empty_translations_are_filled_in_and_nothing_else() -> None:
    data = (
        f'{HEADER}# for you\n#: a.c:1\n#, c-format\nmsgid "Hello"\nmsgstr ""\n\n'
        '#, fuzzy\nmsgid "Bye"\nmsgstr "Tschüs"\n\n#~ msgid "old"\n#~ msgstr ""\n'
    )
    document = read(data.encode())
    assert [string.text for string in document.strings] == ["Hello"]
    assert document.write(["Hallo"]).decode() == data.replace(
        'Hello"\nmsgstr ""', 'Hello"\nmsgstr "Hallo"'
    )


def test_plural_forms_come_from_the_plural() -> None:
    assert _texts('msgid "a"\nmsgid_plural "b"\nmsgstr[0] ""\nmsgstr[1] ""\n') == ["a", "b"]
    assert _texts('msgid "a"\nmsgid_plural "b"\nmsgstr[0] ""\n') == ["b"]
    assert _texts('msgid "a"\nmsgid_plural "b"\nmsgstr[0] "x"\nmsgstr[1] ""\n') == ["b"]


def test_texts_over_several_lines_are_one() -> None:
    document = read(b'msgid ""\r\n"one\\n"\r\n"two"\r\nmsgstr ""\r\n""\r\n\r\n')
    assert [string.text for string in document.strings] == ["one\ntwo"]
    assert document.write(["eins\nzwei"]).endswith(b'msgstr ""\r\n"eins\\n"\r\n"zwei"\r\n\r\n')


def test_contexts_belong_to_their_entries() -> None:
    assert _texts('msgctxt "x"\nmsgid "a"\nmsgstr ""\nmsgctxt "y"\nmsgid "a"\nmsgstr "b"\n') == [
        "a"
    ]


@given(st.lists(st.tuples(MESSAGES, MESSAGES), max_size=5, unique_by=lambda pair: pair[0]))
def test_the_library_reads_what_was_written(pairs: list[tuple[str, str]]) -> None:
    catalogue = polib.POFile()
    catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    for source, _ in pairs:
        catalogue.append(polib.POEntry(msgid=source))
    document = read(str(catalogue).encode())
    translatable = [pair for pair in pairs if pair[0].strip()]
    assert [string.text for string in document.strings] == [source for source, _ in translatable]
    # polib takes other line ends than `\n` for ends of lines, too.
    assume(not any(len(target.splitlines()) > 1 + target.count("\n") for _, target in pairs))
    assume(
        all(target.strip("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029") == target for _, target in pairs)
    )
    written = polib.pofile(document.write([target for _, target in translatable]).decode())
    assert [(e.msgid, e.msgstr) for e in written if e.msgid.strip()] == translatable


def test_the_declared_encoding_is_kept() -> None:
    data = HEADER.replace("UTF-8", "ISO-8859-1") + 'msgid "green"\nmsgstr ""\n'
    document = read(data.encode("latin-1"))
    assert b'"gr\xfcn"' in document.write(["grün"])
    written = document.write(["зелёный"]).decode("utf-8")
    assert "charset=UTF-8" in written
    assert polib.pofile(written)[0].msgstr == "зелёный"


def test_a_text_is_no_catalogue() -> None:
    with pytest.raises(DocumentError, match=r"not a \.po"):
        read(b"Hello\nworld\n")
    assert read(b"").strings == ()


@pytest.mark.parametrize(
    ("header", "written"),
    [
        ('"Language: de\\n"', '"Language: pt_BR\\n"'),
        ('"Language: \\n"', '"Language: pt_BR\\n"'),
        ('"Language:\\n"', '"Language: pt_BR\\n"'),
        ('"X: 1\\nLanguage: de\\nY: 2\\n"', '"X: 1\\nLanguage: pt_BR\\nY: 2\\n"'),
        ('"Language-Team: de\\n"', '"Language-Team: de\\n"'),
    ],
)
def test_the_header_names_the_language_of_the_translation(header: str, written: str) -> None:
    before = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    after = '\n\nmsgid "a"\nmsgstr ""\n\nmsgid "Language: x"\nmsgstr "Language: x\\n"\n'
    document = read(f"{before}{header}{after}".encode())
    translated = document.write(["b"], "pt-BR").decode()
    assert translated == f"{before}{written}{after}".replace('"a"\nmsgstr ""', '"a"\nmsgstr "b"')
    assert header in document.write(["b"]).decode(), "without a language it is kept"


def test_a_message_of_languages_is_no_header() -> None:
    data = 'msgid "x"\nmsgstr "Language: de\\n"\n'
    assert read(data.encode()).write([], "fr").decode() == data
