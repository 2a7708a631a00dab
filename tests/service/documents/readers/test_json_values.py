"""JSON: string values change, nothing else does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.errors import DocumentError
from service.documents.readers.json_values import read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_unchanged_texts_give_the_same_file(
    value: object, is_ascii: bool, indent: int | None
) -> None:
    data = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "replace")
    document = read(data)
    assert document.write([string.text for string in document.strings]) == data


@given(VALUES)
def test_only_string_values_change(value: object) -> None:
    document = read(json.dumps(value).encode())
    written = document.write([f'{string.text}\n"ü' for string in document.strings])

    def changed(part: object) -> object:
        if isinstance(part, dict):
            return {key: changed(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [changed(inner) for inner in part]
        is_kept = not isinstance(part, str) or not part.strip() or "\0" in part
        return part if is_kept else f'{part}\n"ü'

    assert json.loads(written) == changed(value)


def test_keys_and_layout_stay() -> None:
    document = read(b'{ "name" :\t"Hello" , "list":["a","b"]}\r\n')
    assert document.write(["X", "Y", "Z"]) == b'{ "name" :\t"X" , "list":["Y","Z"]}\r\n'


def test_a_file_in_ascii_escapes_stays_so() -> None:
    assert read(b'["\\u00fc"]').write(["ö"]) == b'["\\u00f6"]'
    assert read(b'["u"]').write(["ö"]) == '["ö"]'.encode()


def test_lone_surrogates_and_nul_are_left_alone() -> None:
    data = b'["\\ud800", "\\u0000", "\\ud83d\\ude00"]'
    document = read(data)
    assert [string.text for string in document.strings] == ["😀"]
    assert document.write(["😀"]) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON"),
        (b'{"a"}', "not valid JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "too deeply"),
    ],
)
def test_what_is_no_json_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read(data)


def test_a_long_value_of_backslashes_is_read_once() -> None:
    data = json.dumps(["\\" * 100_000, '"' * 100_000]).encode()
    document = read(data)
    assert document.write([string.text for string in document.strings]) == data


@pytest.mark.parametrize(
    ("data", "written"),
    [
        ('{"en": {"a": "x", "en": "y"}}', '{"pt-BR": {"a": "X", "en": "Y"}}'),
        ('{"en_US": {"a": "x"}}', '{"pt_BR": {"a": "X"}}'),
        ('{"en": "x"}', '{"en": "X"}'),
        ('{"en": {"a": "x"}, "de": {}}', '{"en": {"a": "X"}, "de": {}}'),
        ('{"app": {"a": "x"}}', '{"app": {"a": "X"}}'),
        ('{"@@locale" : "en", "a": "x"}', '{"@@locale" : "pt-BR", "a": "X"}'),
        ('{"@@locale": "of ours", "a": "x"}', '{"@@locale": "OF OURS", "a": "X"}'),
        (
            '{"": {"lang": "en", "plural_forms": "nplurals=2; plural=n"}, "a": "x"}',
            '{"": {"lang": "pt-BR", "plural_forms": "nplurals=2; plural=n"}, "a": "X"}',
        ),
        (
            '{"": "MIME-Version: 1.0\\nLanguage: en_GB\\n", "a": "x"}',
            '{"": "MIME-Version: 1.0\\nLanguage: pt_BR\\n", "a": "X"}',
        ),
        ('{"": {"plural_forms": "a } b"}}', '{"": {"plural_forms": "A } B"}}'),
        ('{"": {"b": "x"}, "c": {"": "y"}}', '{"": {"b": "X"}, "c": {"": "Y"}}'),
    ],
)
def test_the_file_names_the_language_of_the_translation(data: str, written: str) -> None:
    document = read(data.encode())
    texts = [string.text for string in document.strings]
    assert document.write(texts).decode() == data
    assert document.write([text.upper() for text in texts], "pt-BR").decode() == written
