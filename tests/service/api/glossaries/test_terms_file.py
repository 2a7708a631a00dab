"""Files of terms: what is read, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.glossaries.stored import Term
from service.api.glossaries.terms_file import (
    MAX_STORED_ENTRIES,
    EntriesFormat,
    check_terms,
    read_terms,
    write_tsv,
)
from service.text.masking.glossary import GlossaryError

TERMS = st.dictionaries(*[st.from_regex(r"[\w]+( \w+)?", fullmatch=True)] * 2, max_size=5)


@pytest.mark.parametrize(
    ("text", "entries_format", "terms"),
    [
        ("a\tb\r\n\n c d \t e\n", "tsv", (("a", "b"), ("c d", "e"))),
        ("a\tb,c", "tsv", (("a", "b,c"),)),
        ('a,"b, c"\n"d ""e""",f\n', "csv", (("a", "b, c"), ('d "e"', "f"))),
        ("a,b,en,de\n\n", "csv", (("a", "b"),)),
        ('\ufeff"a",b\n', "csv", (("a", "b"),)),
        ("\ufeffa\tb", "tsv", (("a", "b"),)),
        ("", "tsv", ()),
    ],
)
def test_terms_are_read(text: str, entries_format: EntriesFormat, terms: tuple[Term, ...]) -> None:
    assert read_terms(text, entries_format) == terms


@given(TERMS)
def test_what_is_written_is_read_again(terms: dict[str, str]) -> None:
    pairs = tuple((source.strip(), target.strip()) for source, target in terms.items())
    assert read_terms(write_tsv(pairs), "tsv") == pairs


@pytest.mark.parametrize(
    ("text", "entries_format", "message"),
    [
        ("a\tb\nc", "tsv", "entry 2 has 0 tabs"),
        ("a\tb\tc", "tsv", "entry 1 has 2 tabs"),
        ("a\tb\na\tc", "tsv", "entry 2 has the term 'a' again"),
        ("a", "csv", "entry 1 has 1 columns"),
        ("a,b,c,d,e", "csv", "entry 1 has 5 columns"),
        ('a,"b', "csv", "entry 1 is no CSV"),
        ('a,b\n"c\td",e', "csv", r"entry 2 has the control character U\+0009 in 'c\\td'"),
        ('a,"b\nc"', "csv", r"entry 1 has the control character U\+000A in 'b\\nc'"),
        ("".join(f"{n}\tx\n" for n in range(MAX_STORED_ENTRIES + 1)), "tsv", "more than 5,000"),
    ],
)
def test_what_has_not_two_columns_is_refused(
    text: str, entries_format: EntriesFormat, message: str
) -> None:
    with pytest.raises(GlossaryError, match=message):
        read_terms(text, entries_format)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ((), "has no entries"),
        ((("a", ""),), "is empty"),
        ((("a-b", "b"), ("a - b", "c")), "two targets for 'a - b'"),
        ((("a", "b" * 201),), "over 200 characters"),
        (tuple((f"{n} " + "w " * 9, "x") for n in range(2100)), "over 20,000 words"),
        (tuple((f"{n}", "x") for n in range(MAX_STORED_ENTRIES + 1)), "the limit is 5,000"),
    ],
)
def test_terms_that_cannot_be_used_are_refused(terms: tuple[Term, ...], message: str) -> None:
    with pytest.raises(GlossaryError, match=message):
        check_terms(terms)
