from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking.glossary import (
    MAX_TERM_CHARS,
    CompiledEntries,
    Glossary,
    GlossaryEntry,
    GlossaryError,
    glossary_of,
)
from service.text.masking.longest_terms import LongestTerms


def glossary(*pairs: tuple[str, str]) -> Glossary:
    return Glossary([GlossaryEntry(source=source, target=target) for source, target in pairs])


TERMS = glossary(
    ("house", "Haus (Gebäude)"),
    ("house number", "Hausnummer"),
    ("Straße", "road"),
    ("C++", "C++"),
    ("user's guide", "Handbuch"),
    ("API", "Schnittstelle"),
    ("24/7", "rund um die Uhr"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The house is small.", [("house", "Haus (Gebäude)")]),
        ("House and HOUSE", [("House", "Haus (Gebäude)"), ("HOUSE", "Haus (Gebäude)")]),
        ("a house number", [("house number", "Hausnummer")]),
        ("a house  number", [("house  number", "Hausnummer")]),
        ("a house, number 3", [("house", "Haus (Gebäude)")]),
        ("houses, warehouse, house_2, house2", []),
        ("a house-boat", [("house", "Haus (Gebäude)")]),
        ("DIE STRASSE", [("STRASSE", "road")]),
        ("Use C++!", [("C++", "C++")]),
        ("the user's guide", [("user's guide", "Handbuch")]),
        ("Der Hausbau", []),
        ("the api.", [("api", "Schnittstelle")]),
        ("open 24/7", [("24/7", "rund um die Uhr")]),
        ("", []),
    ],
)
def test_whole_words_are_found_in_any_case_the_longest_first(
    text: str, expected: Sequence[tuple[str, str]]
) -> None:
    found = TERMS.find(text)
    assert [(text[term.start : term.end], term.replacement) for term in found] == expected


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("कम", "कमी कम", ["कम"]),
        ("कमी", "कमी कम", ["कमी"]),
        ("cafe", "cafe\u0301, cafe", ["cafe"]),
        ("cafe\u0301", "cafe\u0301, cafe", ["cafe\u0301"]),
        ("house", "❤\ufe0fhouse", ["house"]),
        ("house", "«\u0301house»—\u0301house", ["house", "house"]),
    ],
)
def test_combining_marks_belong_to_their_words(
    term: str, text: str, expected: Sequence[str]
) -> None:
    found = glossary((term, "X")).find(text)
    assert [text[each.start : each.end] for each in found] == expected


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("می", "می\u200cخواهم می", ["می"]),
        ("خواهم", "می\u200cخواهم", []),
        ("می\u200cخواهم", "من می\u200cخواهم.", ["می\u200cخواهم"]),
        ("ष", "क्\u200dष ष", ["ष"]),
        ("क्\u200dष", "क्\u200dष", ["क्\u200dष"]),
        ("می", "می\u200c, می\u200d😀", ["می", "می"]),
        ("house", "house\u200d👩\u200d💻 house", ["house", "house"]),
    ],
)
def test_joiners_between_letters_belong_to_their_words(
    term: str, text: str, expected: Sequence[str]
) -> None:
    found = glossary((term, "X")).find(text)
    assert [text[each.start : each.end] for each in found] == expected


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("", "x")], "'' -> 'x' is empty"),
        ([(" \n", "x")], "is empty"),
        ([("door", "  ")], "'door' -> '' is empty"),
        ([("d" * (MAX_TERM_CHARS + 1), "x")], f"'{'d' * 20}'... has over 200 characters"),
        ([("door", "x" * (MAX_TERM_CHARS + 1))], "'door'... has over 200 characters"),
        ([("door", "Tür"), ("Door", "Tor")], "two targets for 'Door', 'Tür' and 'Tor'"),
        ([("a  b", "x"), ("A b", "y")], "two targets for 'A b'"),
        ([("door", "T\0r")], "'door' has a NUL character or half of a surrogate pair"),
        ([("do\0r", "Tür")], r"'do\x00r' has a NUL character"),
        ([("door", "T\ud800r")], "'door' has a NUL character or half of a surrogate pair"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(GlossaryError) as error:
        glossary(*pairs)
    assert message in str(error.value)


def test_terms_of_too_many_words_are_refused() -> None:
    entries = [("!" * 99 + f"{number}", "x") for number in range(201)]
    assert glossary(*entries[:200]).find("!" * 99 + "7")
    with pytest.raises(GlossaryError, match="over 20,000 words: send fewer"):
        glossary(*entries)


def test_the_same_entry_twice_is_one() -> None:
    assert len(glossary(("door", "Tür"), ("Door", "Tür ")).find("door")) == 1


def test_without_entries_nothing_is_found() -> None:
    assert Glossary([]).find("the house") == []


@given(st.text(), st.lists(st.text("ab ßİé-.", min_size=1, max_size=6), max_size=5))
def test_terms_are_in_order_apart_and_given(text: str, sources: list[str]) -> None:
    terms = glossary(*((source, "x") for source in sources if source.strip()))
    end = 0
    for term in terms.find(text + " ".join(sources)):
        assert end <= term.start < term.end
        end = term.end


Terms = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), max_size=8)


@given(Terms, st.lists(st.sampled_from("abcd")))
def test_the_longest_term_at_each_word_is_that_of_trying_all(
    terms: list[list[str]], words: list[str]
) -> None:
    expected = [
        max((len(t) for t in terms if words[at : at + len(t)] == t), default=0)
        for at in range(len(words))
    ]
    assert LongestTerms(map(tuple, terms)).lengths(words) == expected


def test_a_large_glossary_costs_no_more_for_each_word() -> None:
    terms = glossary(*((f"a {number}", "x") for number in range(10_000)))
    assert len(terms.find("a 9999 a " * 10_000)) == 10_000


def test_terms_that_differ_in_case_alone_are_told_apart_on_request() -> None:
    entries = [GlossaryEntry(source=s, target=t) for s, t in [("Bank", "B"), ("BANK", "C")]]
    glossary = Glossary(entries, tells_cases=True)
    found = glossary.find("Bank, BANK and bank")
    assert [span.replacement for span in found] == ["B", "C", "B"]
    with pytest.raises(GlossaryError, match="two targets for 'Bank'"):
        Glossary([*entries, GlossaryEntry(source="Bank", target="D")], tells_cases=True)


def test_compiled_entries_are_entries_with_one_glossary() -> None:
    entries = (GlossaryEntry(source="Bank", target="B"), GlossaryEntry(source="bank", target="C"))
    compiled = CompiledEntries(entries)
    assert compiled == entries
    assert glossary_of(compiled) is glossary_of(compiled)
    with pytest.raises(GlossaryError):
        glossary_of(entries)
