import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking import cut_around, keeps_all, mask, place_by_alignment, unmask
from service.text.placeholders import find_placeholders
from service.text.protected import Protected
from service.text.word_link import WordLink

SYMBOLS = ("⟦0⟧", "⟦1⟧")
texts = st.text(st.sampled_from(list("ab {}%sd<>`")), max_size=40)


def protected(text: str, *stretches: str) -> list[Protected]:
    places = [(text.index(stretch), stretch) for stretch in stretches]
    return [Protected(start=at, end=at + len(s), replacement=s) for at, s in places]


def test_symbols_stand_for_the_first_stretches() -> None:
    text = "%s has {n} of %d."
    masked = mask(text, find_placeholders(text), SYMBOLS)
    assert masked.text == "⟦0⟧ has ⟦1⟧ of %d."
    assert masked.symbols == SYMBOLS
    shown = [masked.text[p.start : p.end] for p in masked.protected]
    assert shown == ["⟦0⟧", "⟦1⟧", "%d"]
    assert [p.replacement for p in masked.protected] == ["%s", "{n}", "%d"]


@given(texts)
def test_a_sentence_that_comes_back_unchanged_is_the_sentence(text: str) -> None:
    masked = mask(text, find_placeholders(text), SYMBOLS)
    assert unmask(masked.text, masked) in (text, None)
    if len(masked.protected) <= len(SYMBOLS):
        assert all(symbol in masked.text for symbol in masked.symbols)


@pytest.mark.parametrize("target", ["⟦1⟧ allein", "⟦0⟧ ⟦0⟧ ⟦1⟧", "nichts", "⟦0⟧ ⟦1⟧"])
def test_a_symbol_that_is_missing_or_doubled_is_noticed(target: str) -> None:
    text = "%s and {n} and %d"
    masked = mask(text, find_placeholders(text), SYMBOLS)
    assert unmask(target, masked) is None
    assert unmask("⟦1⟧ %d ⟦0⟧", masked) == "{n} %d %s"


def test_equal_placeholders_have_to_be_there_as_often_as_in_the_source() -> None:
    text = "%d of %d"
    both = find_placeholders(text)
    assert keeps_all("%d von %d", both)
    assert not keeps_all("%d von", both)
    assert not keeps_all("%d %d %d", both)
    assert not keeps_all("25 kmh", protected("5 km", "5 km"))


def test_a_symbol_in_a_replacement_is_no_symbol() -> None:
    text = "⟦1⟧ and %s"
    masked = mask(text, find_placeholders(text), SYMBOLS)
    assert masked.text == "⟦0⟧ and ⟦1⟧"
    assert unmask("⟦1⟧ und ⟦0⟧", masked) == "%s und ⟦1⟧"


def test_a_stretch_takes_the_place_of_the_words_aligned_with_it() -> None:
    source, target = "Open {file} now", "Öffnen Sie die Datei jetzt"
    links = [
        WordLink(source=(6, 10), target=(11, 14)),
        WordLink(source=(6, 10), target=(15, 20)),
        WordLink(source=(12, 15), target=(21, 26)),
    ]
    assert place_by_alignment(target, links, protected(source, "{file}")) == (
        "Öffnen Sie {file} jetzt"
    )


def test_without_a_place_of_its_own_nothing_is_put() -> None:
    source = "{a} {b}"
    both = protected(source, "{a}", "{b}")
    assert place_by_alignment("x y", [WordLink(source=(0, 3), target=(0, 1))], both) is None
    shared = [WordLink(source=(0, 3), target=(0, 1)), WordLink(source=(4, 7), target=(0, 1))]
    assert place_by_alignment("x y", shared, both) is None


@given(texts)
def test_a_sentence_cut_around_its_placeholders_is_whole(text: str) -> None:
    parts = cut_around(text, find_placeholders(text))
    assert "".join(p if isinstance(p, str) else p.replacement for p in parts) == text
