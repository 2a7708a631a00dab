"""Texts by paragraph."""

from service.documents.readers.plain_text import read


def _texts(text: str) -> list[str]:
    return [string.text for string in read(text.encode()).strings]


def test_paragraphs_are_translated_one_by_one() -> None:
    assert _texts("One\ntwo.\n\n \n\tThree.\r\n\r\nFour.") == ["One\ntwo.", "Three.", "Four."]


def test_white_space_around_them_stays() -> None:
    document = read(b"\n\n  a\r\n\t\r\n b \n")
    assert document.write(["X", "Y"]) == b"\n\n  X\r\n\t\r\n Y \n"


def test_blank_files_have_nothing_to_translate() -> None:
    for data in (b"", b"\n" * 10_000, b" \t "):
        document = read(data)
        assert document.strings == ()
        assert document.write([]) == data


def test_long_stretches_are_cut_at_line_ends() -> None:
    texts = _texts("A line of words.\n" * 5_000)
    assert 10 < len(texts) < 30
    assert all(text.endswith("words.") for text in texts)


def test_a_line_is_never_cut() -> None:
    assert _texts("x" * 100_000) == ["x" * 100_000]
