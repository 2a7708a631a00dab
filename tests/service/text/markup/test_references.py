import pytest

from service.text.markup.references import (
    Reference,
    read_reference,
    reads_as_markup,
    unescaped,
)


@pytest.mark.parametrize(
    ("text", "written", "character"),
    [
        ("&nbsp;", "&nbsp;", "\xa0"),
        ("&amp;amp;", "&amp;", "&"),
        ("&#39;s", "&#39;", "'"),
        ("&#x1F600;", "&#x1F600;", "😀"),
        ("&#65 a", "&#65", "A"),
        ("&copy2024", "&copy", "©"),
        ("&notit;", "&not", "¬"),
        ("&notin;", "&notin;", "∉"),
        ("&hellip;", "&hellip;", "…"),
        ("&#128;", "&#128;", "€"),
        ("&house;", "&house;", ""),
        ("&NotEqualTilde;", "&NotEqualTilde;", ""),
    ],
)
def test_html_knows_many_names(text: str, written: str, character: str) -> None:
    assert read_reference(text, 0, "html") == Reference(text=written, character=character)


@pytest.mark.parametrize(
    "text", ["&", "& b", "&T", "&hellip", "&;", "&#;", "&#x;", "&#123456789012;"]
)
def test_most_ampersands_are_only_that(text: str) -> None:
    assert read_reference(text, 0, "html") is None


@pytest.mark.parametrize(
    ("text", "character"),
    [("&lt;", "<"), ("&apos;", "'"), ("&#x41;", "A"), ("&nbsp;", ""), ("&copy", None)],
)
def test_xml_knows_five_names(text: str, character: str | None) -> None:
    reference = read_reference(text, 0, "xml")
    assert (reference.character if reference else None) == character


@pytest.mark.parametrize("text", ["&shy;", "&zwj;", "&#10;", "&#0;", "&lrm;", "&#x1;"])
def test_some_are_never_seen(text: str) -> None:
    reference = read_reference(text, 0, "html")
    assert reference is not None
    assert reference.is_unseen


@pytest.mark.parametrize("text", ["&nbsp;", "&amp;", "&house;", "&NotEqualTilde;"])
def test_others_are_part_of_the_text(text: str) -> None:
    reference = read_reference(text, 0, "html")
    assert reference is not None
    assert not reference.is_unseen


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<b", True), ("</b", True), ("<!", True), ("< b", False), ("<3", False), ("<", False),
     ("&lt", True), ("&lt;", True), ("&x;", True), ("& lt;", False), ("&T", False)],
)  # fmt: skip
def test_a_sign_alone_is_no_markup(text: str, expected: bool) -> None:
    assert reads_as_markup(text, 0) is expected


@pytest.mark.parametrize(
    ("text", "character"),
    [("&amp;&#65;", "&A"), ("&#0000000065;", "A"), (f"a &#{'1' * 5_000};", f"a &#{'1' * 5_000};")],
)
def test_a_number_that_is_too_long_is_text(text: str, character: str) -> None:
    assert unescaped(text) == character
