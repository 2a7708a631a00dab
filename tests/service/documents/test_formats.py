"""Every kind of file: what is not translated stays, byte for byte."""

import sys
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.errors import DocumentError
from service.documents.formats import FORMATS, read_document, readable_formats

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
MARKUP = st.lists(
    st.sampled_from(
        ["a", " ", "\n", "\r\n", "  \n", "\t", "*", "**", "_", "`", "``", "[", "]", "(", ")", "![",
         "<", ">", "<b>", "</b>", "<!--", "-->", "#", "# ", "- ", "1. ", "> ", "|", "|-|-|", "\\",
         "&", "&amp;", "---", "===", "```", "~~~", "~~", "http://x", "[^1]", "[x]: y", "é", "你",
         "    ", "!", "+++", "<div>", '"', "[!NOTE]", "\\|"]
    )
).map("".join)  # fmt: skip
PREFIXES = {
    ".srt": "1\n00:00:01,000 --> 00:00:02,000\n",
    ".vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n",
    ".po": 'msgid "a"\nmsgstr "b"\n',
    ".properties": "a = ",
}
ARCHIVES = {".docx", ".epub", ".odp", ".ods", ".odt", ".pptx", ".xlsx"}
"""Tested with their readers: no text is such a file."""
STRICT = {".json", ".yaml", ".yml", ".csv", ".tsv", ".strings", ".xliff", ".xlf", ".pdf"}
"""Tested with their readers: most texts are no such files."""
SUFFIXES = sorted(set(FORMATS) - ARCHIVES - STRICT)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(TEXTS | MARKUP)
def test_unchanged_texts_give_the_same_file(suffix: str, text: str) -> None:
    data = (PREFIXES.get(suffix, "") + text).encode()
    document = read_document(f"a{suffix}", data)
    kept = [s.text if s.original is not None else "" for s in document.strings]
    if suffix != ".po" or not document.strings:
        assert document.write(kept) == data


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(MARKUP)
def test_any_translation_can_be_written(suffix: str, text: str) -> None:
    document = read_document(f"a{suffix}", (PREFIXES.get(suffix, "") + text).encode())
    written = document.write(["x"] * len(document.strings))
    assert (b"x" in written) or not document.strings


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "hostile",
    ["x" * 100_000, "\n" * 10_000, "<b>" * 50_000, "[" * 20_000, "![" * 20_000, "**a *b " * 10_000,
     "`a" * 20_000, "> " * 20_000, "[a](" * 10_000, "\\" * 50_000, "|" * 50_000, '"' * 50_000,
     "a\n" * 20_000, "{\\an8}" * 10_000, 'msgid "' * 10_000, "&" * 50_000, "<" * 50_000],
    ids=lambda text: text[:8],
)  # fmt: skip
def test_hostile_files_are_read_to_their_end(suffix: str, hostile: str) -> None:
    data = (PREFIXES.get(suffix, "") + hostile).encode()
    document = read_document(f"a{suffix}", data)
    if suffix != ".po":
        assert document.write([string.text for string in document.strings]) == data


def test_the_end_of_the_name_says_what_it_is() -> None:
    assert read_document("A.TXT", b"x").strings
    for name in ("a.doc", "a", "", ".txt/a"):
        with pytest.raises(DocumentError, match=r"not supported: send one of \.txt"):
            read_document(name, b"x")


def test_each_string_needs_a_translation() -> None:
    with pytest.raises(ValueError, match="shorter"):
        read_document("a.txt", b"x").write([])


@pytest.mark.parametrize(("name", "library"), [("a.pdf", "pypdfium2"), ("a.yaml", "yaml")])
def test_without_its_library_a_format_is_refused_with_the_remedy(
    name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DocumentError, match=r"install \w+ with pellucid\[documents\]"):
        read_document(name, b"%PDF-1.7")


def test_formats_are_listed_where_their_library_is_installed() -> None:
    listed = readable_formats()
    assert {".txt", ".docx", ".csv", ".xliff"} <= set(listed) <= set(FORMATS)
    assert (".pdf" in listed) == (find_spec("pypdfium2") is not None)
