"""YAML: string values change; keys, comments, anchors, styles and all other values stay."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from service.documents.errors import DocumentError
from service.documents.readers.yaml_values import read

NASTY = [
    "",
    "# only a comment\n",
    "a: Hello\n",
    "a: Hello # comment\n# another\nb: 5\n",
    "en:\n  a: \"Say \\\"hi\\\" \\u00e9\\x41\"\n  b: 'it''s'\n",
    "a: yes\nb: no\nc: null\nd: ~\ne: 1.5\nf: 2024-01-01\ng: 0x1F\nh: .inf\n",
    "a: &x Hello\nb: *x\nc: &y\n  d: You\ne:\n  <<: *y\n",
    "a: !!str tagged\nb: !custom x\nc: !!binary aGk=\nd: ! text\ne: !!str &z both\n",
    "- one\n- - two\n  - three\n-   four\n",
    "a: [one, 'two', \"three\", {b: c}, 4]\nd: {e: f, 'g': h}\n",
    '{"json": "is YAML", "list": ["a", 1, null]}\n',
    "a: |\n  Line one\n    further\n\n  last\nb: x\n",
    "a: |-\n  stripped\nb: |+\n  kept\n\n\nc: x\n",
    "a: >\n  folded text\n  goes on\n\n  second\n",
    "a: >-\n  folded\n    further\n  back\nb: x\n",
    "a: |2\n    two more\n  then none\n",
    "a: >1-\n  one more\n second\n",
    "a: multi\n  line\n  plain\nb: 'multi\n\n  line'\nc: \"multi \\\n  line\"\n",
    "? complex key\n: value\n? |\n  block key\n: other\n",
    "%YAML 1.1\n---\na: one\n...\n---\nb: two\n--- three\n",
    "a: Hello\r\nb: |\r\n  two\r\n  lines\r\nc: 'x'\r\n",
    "\ufeffa: marked\n",
    "a: 你好 😀\nb: 'é'\nc: \"😀 x\"\nd: 😀 y\n",
    "a: http://x.y/z\nb: 12:30:45\nc: '#x'\nd: a#b\n",
    "- |\n\n  blank before\n-\n  |\n  on its own line\n",
    "a:\n- x\n-\n  b: you # z\n  c:   padded   \n",
]
NEW = ["Größe: x", "# no comment", "- item", "two\nlines", "  indented", "'q' \"d\"", "a, b; [c]",
       "😀", "yes", "1", "", "a\u2028b\x85c", "{x}: [y]", "@at `tick`", "a\n\n  b\nc  ", "%d &a *b",
       "C:\\new\ttab", "long words " * 20]  # fmt: skip


def _loaded(data: str) -> list[Any]:
    class Loader(yaml.SafeLoader):
        """Keeps what it does not know."""

    Loader.add_multi_constructor("!", lambda _, suffix, node: (suffix, node.value))
    return list(yaml.load_all(data.removeprefix("\ufeff"), Loader=Loader))


def _mapped(value: object, change: Callable[[str], str]) -> object:
    """A value with other strings, as the reader should have changed it."""
    if isinstance(value, dict):
        return {key: _mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in value]
    return change(value) if isinstance(value, str) and any(map(str.isalpha, value)) else value


@pytest.mark.parametrize("data", NASTY)
def test_unchanged_texts_give_the_same_file(data: str) -> None:
    document = read(data.encode())
    assert document.write([string.text for string in document.strings]).decode() == data


@pytest.mark.parametrize("data", NASTY)
def test_only_string_values_change(data: str) -> None:
    document = read(data.encode())
    written = document.write([string.text.upper() for string in document.strings]).decode()
    assert _loaded(written) == _mapped(_loaded(data), str.upper)
    assert [line.partition("#")[2] for line in data.splitlines() if " #" in line] == [
        line.partition("#")[2] for line in written.splitlines() if " #" in line
    ]


@pytest.mark.parametrize("data", NASTY)
@pytest.mark.parametrize("new", NEW)
def test_any_translation_can_be_written(data: str, new: str) -> None:
    document = read(data.encode())
    written = document.write([new] * len(document.strings)).decode()
    before, after = (
        [type(e) for e in yaml.parse(d.removeprefix("\ufeff"))] for d in (data, written)
    )
    assert before == after


@given(st.sampled_from(["a: x\n", "a: 'x'\n", 'a: "x"\n', "[x]\n", "{a: x}\n", "- x # c\n"]),
       st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))  # fmt: skip
def test_any_text_is_read_again(data: str, text: str) -> None:
    written = read(data.encode()).write([text]).decode()
    (value,) = _loaded(written)
    while not isinstance(value, str):
        value = value["a"] if isinstance(value, dict) else value[0]
    assert value == text


@given(st.sampled_from(["a: |\n  x\nb: 1\n", "a: >\n  x\nb: 1\n"]),
       st.lists(st.sampled_from(["word", "ü", "#x", "- y", ": ", "a:", "'", '"', "\n", " "]),
                min_size=1).map("".join))  # fmt: skip
def test_blocks_hold_their_lines(data: str, text: str) -> None:
    (value,) = _loaded(read(data.encode()).write([text]).decode())
    lines = [line.strip() for line in text.strip("\n").split("\n")]
    assert [line.strip() for line in value["a"].strip("\n").split("\n")] == (
        "\n".join(lines).strip("\n").split("\n")
    )
    assert value["b"] == 1


def test_styles_stay_where_they_can() -> None:
    document = read(b"a: one\nb: 'two'\nc: \"three\"\nd: [four]\n")
    written = document.write(["eins", "zwei's", "drei", "vier, fünf"]).decode()
    assert written == "a: eins\nb: 'zwei''s'\nc: \"drei\"\nd: [\"vier, fünf\"]\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: [b", "line 2"),
        (b"a: b: c\n", "not valid YAML"),
        (b"a: 'b\n", "not valid YAML"),
        (b"\tx: y\n", "not valid YAML"),
        (b"a: *b\n---\n- ]", "not valid YAML"),
        (b"a: \x07", "not valid YAML"),
        (b"[" * 500 + b"]" * 500, "over 200 deep"),
        (b"{a: " * 100_000, "over 200 deep"),
    ],
)
def test_what_is_no_yaml_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read(data)


def test_keys_of_any_kind_are_no_texts() -> None:
    data = b"? [a, {b: c}]\n: other\n? {x: y, z: [d]}\n: [third, {e: fourth}]\n"
    texts = [string.text for string in read(data).strings]
    assert texts == ["other", "third", "fourth"]


def test_aliases_are_not_followed() -> None:
    bomb = "a0: &a0 [lol, lol]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 60)
    )
    assert [string.text for string in read(bomb.encode()).strings] == ["lol", "lol"]


@pytest.mark.parametrize("data", NASTY)
def test_another_library_sees_the_same_comments(data: str) -> None:
    ruamel = pytest.importorskip("ruamel.yaml", reason="ruamel.yaml is not installed")
    document = read(data.encode())
    written = document.write([string.text.upper() for string in document.strings]).decode()
    for content in (data, written):
        list(ruamel.YAML(typ="rt").load_all(content.removeprefix("\ufeff")))


@pytest.mark.parametrize(
    ("data", "language", "written"),
    [
        ("en:\n  a: x\n", "de", "de:\n  a: X\n"),
        ('---\n# c\n"en": # d\r\n  a: x\r\n', "de", '---\n# c\n"de": # d\r\n  a: X\r\n'),
        ("'en-GB':\n  en:\n    a: x\n", "pt-BR", "'pt-BR':\n  en:\n    a: X\n"),
        ("en_GB:\n  a: x\n", "pt-BR", "pt_BR:\n  a: X\n"),
        ("en:\n  a: x\n", "no", '"no":\n  a: X\n'),
        ("de-AT:\n  a: x\n", "de", "de-AT:\n  a: X\n"),
        ("en:\n  a: x\nfr:\n  a: z\n", "de", "en:\n  a: X\nfr:\n  a: Z\n"),
        ("en: x\n", "de", "en: X\n"),
        ("en:\n- x\n", "de", "en:\n- X\n"),
        ("app:\n  en: x\n", "de", "app:\n  en: X\n"),
    ],
)
def test_the_only_key_names_the_language_of_the_translation(
    data: str, language: str, written: str
) -> None:
    document = read(data.encode())
    texts = [string.text for string in document.strings]
    assert document.write(texts).decode() == data
    assert document.write([text.upper() for text in texts], language).decode() == written
