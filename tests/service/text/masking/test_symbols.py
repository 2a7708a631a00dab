import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.alignment.word_links import WordLink
from service.text.masking.edits import Rewritten
from service.text.masking.placeholders import find_placeholders
from service.text.masking.protected import Protected, cut_around, keeps_all
from service.text.masking.symbols import (
    PLAIN_SYMBOLS,
    mask,
    place_by_alignment,
    unmask,
)

SYMBOLS = ("⟦0⟧", "⟦1⟧")
texts = st.text(st.sampled_from(list("ab {}%sd<>`")), max_size=40)


def protected(text: str, *stretches: str) -> list[Protected]:
    places = [(text.index(stretch), stretch) for stretch in stretches]
    return [Protected(start=at, end=at + len(s), replacement=s) for at, s in places]


def text_of(found: Rewritten | None) -> str:
    assert found
    return found.text


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
    found = unmask(masked.text, masked)
    assert found is None or found.text == text
    if len(masked.protected) <= len(SYMBOLS):
        assert all(symbol in masked.text for symbol in masked.symbols)


@pytest.mark.parametrize("target", ["⟦1⟧ allein", "⟦0⟧ ⟦0⟧ ⟦1⟧", "nichts", "⟦0⟧ ⟦1⟧"])
def test_a_symbol_that_is_missing_or_doubled_is_noticed(target: str) -> None:
    text = "%s and {n} and %d"
    masked = mask(text, find_placeholders(text), SYMBOLS)
    assert unmask(target, masked) is None
    assert text_of(unmask("⟦1⟧ %d ⟦0⟧", masked)) == "{n} %d %s"


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
    assert text_of(unmask("⟦1⟧ und ⟦0⟧", masked)) == "%s und ⟦1⟧"


def test_a_stretch_takes_the_place_of_the_words_aligned_with_it() -> None:
    source, target = "Open {file} now", "Öffnen Sie die Datei jetzt"
    links = [
        WordLink(source=(6, 10), target=(11, 14)),
        WordLink(source=(6, 10), target=(15, 20)),
        WordLink(source=(12, 15), target=(21, 26)),
    ]
    masked = mask(source, protected(source, "{file}"), ())
    assert text_of(place_by_alignment(target, links, masked)) == "Öffnen Sie {file} jetzt"


def test_without_a_place_of_its_own_nothing_is_put() -> None:
    source = "{a} {b}"
    both = mask(source, protected(source, "{a}", "{b}"), ())
    assert place_by_alignment("x y", [WordLink(source=(0, 3), target=(0, 1))], both) is None
    shared = [WordLink(source=(0, 3), target=(0, 1)), WordLink(source=(4, 7), target=(0, 1))]
    assert place_by_alignment("x y", shared, both) is None


@given(texts)
def test_a_sentence_cut_around_its_placeholders_is_whole(text: str) -> None:
    parts = cut_around(text, find_placeholders(text))
    assert "".join(p if isinstance(p, str) else p.replacement for p in parts) == text


@pytest.mark.parametrize("target", ["⟦0⟧ hat ⟦1⟧", "⟦1⟧ hat"])
def test_a_symbol_that_stands_for_nothing_is_noticed(target: str) -> None:
    masked = mask("%s has it", protected("%s has it", "%s"), SYMBOLS)
    assert unmask(target, masked) is None
    assert text_of(unmask("⟦0⟧ hat", masked)) == "%s hat"


def test_a_placeholder_inside_another_is_counted_apart() -> None:
    both = protected("{a} in {a}{b}", "{a}", "{a}{b}")
    assert keeps_all("{a}{b} mit {a}", both)
    assert not keeps_all("{a}{b} mit", both)


def test_a_term_may_be_there_oftener_than_it_must_and_a_placeholder_may_not() -> None:
    assert keeps_all("Haus im Haus", protected("Haus", "Haus"))
    assert not keeps_all("Hausboot", protected("Haus", "Haus"))
    assert not keeps_all("%s im %s", protected("%s", "%s"))


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ('The file "{f}" is', 'Die Datei " ⟦0⟧ " ist', 'Die Datei "{f}" ist'),
        ('The file "{f}" is', "Die Datei „⟦0⟧“ ist", "Die Datei „{f}“ ist"),
        ("A ({f}) b", "A ( ⟦0⟧ ) b", "A ({f}) b"),
        ("({f}) b", "( ⟦0⟧ ) b", "({f}) b"),
        ("{f} now", "jetzt⟦0⟧", "jetzt {f}"),
        ("It is {f}", "⟦0⟧ist", "{f} ist"),
        ("It is {f}.", "Es ist ⟦0⟧ .", "Es ist {f}."),
        ("Open {f} now", "Öffnen⟦0⟧jetzt", "Öffnen {f} jetzt"),
        ("pre{f}post", "vor⟦0⟧nach", "vor{f}nach"),
        ("{f}/{g}", "⟦0⟧ / ⟦1⟧", "{f}/{g}"),
        ("{f} {g}", "⟦1⟧ ⟦0⟧", "{g} {f}"),
        ("{f}", " ⟦0⟧", " {f}"),
        ("Open {f} now", "今すぐ⟦0⟧を開く", "今すぐ{f}を開く"),
    ],
)
def test_spaces_around_a_placeholder_are_those_of_the_source(
    source: str, target: str, expected: str
) -> None:
    masked = mask(source, find_placeholders(source), SYMBOLS)
    assert text_of(unmask(target, masked)) == expected


def test_a_symbol_that_the_sentence_has_is_not_used() -> None:
    text = "The #1 of %s"
    masked = mask(text, protected(text, "%s"), PLAIN_SYMBOLS)
    assert masked.text == "The #1 of #2"
    assert text_of(unmask("Die #1 von #2", masked)) == "Die #1 von %s"
    assert unmask("Die #2", masked) is None


@pytest.mark.parametrize(
    ("source", "target", "place", "expected"),
    [
        ("Hello {f}, you", "Hallo (Name), du", (6, 13), "Hallo ({f}), du"),
        ('The "{f}" is', 'Die "Datei" ist', (4, 11), 'Die "{f}" ist'),
        ("It is :) now", "Es ist!", (6, 7), "Es ist :)"),
        ("I love {f} too", "Ich liebeDatei auch", (9, 14), "Ich liebe {f} auch"),
    ],
)
def test_punctuation_around_a_place_stays(
    source: str, target: str, place: tuple[int, int], expected: str
) -> None:
    masked = mask(source, find_placeholders(source), ())
    stretch = masked.protected[0]
    links = [WordLink(source=(stretch.start, stretch.end), target=place)]
    assert text_of(place_by_alignment(target, links, masked)) == expected


def placed(target: str, *places: tuple[int, int], source: str = "Open {f} now") -> str | None:
    """`target` with `{f}` at the places linked with it, the first with the heaviest link."""
    masked = mask(source, protected(source, "{f}"), ())
    start = source.index("{f}")
    links = [
        WordLink(source=(start, start + 3), target=place, weight=1 / rank)
        for rank, place in enumerate(places, start=1)
    ]
    found = place_by_alignment(target, links, masked)
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(4, 6), (6, 9)], "das {f} ist"),
        ([(6, 9), (4, 6)], "das {f} ist"),
        ([(6, 9), (0, 3)], "das es {f} ist"),
        ([(4, 9), (0, 3)], "{f} ist"),
        ([(0, 3), (4, 9)], "{f} ist"),
        ([(0, 3), (4, 9), (10, 13)], "{f}"),
        ([(0, 3), (10, 13)], "{f} esgut ist"),
    ],
)
def test_linked_words_beside_the_best_one_are_replaced_with_it(
    places: list[tuple[int, int]], expected: str
) -> None:
    assert placed("das esgut ist", *places) == expected


@pytest.mark.parametrize("source", [(0, 5), (8, 12)])
def test_a_link_that_only_touches_a_span_does_not_place_it(source: tuple[int, int]) -> None:
    masked = mask("Open {f} now", protected("Open {f} now", "{f}"), ())
    assert place_by_alignment("a b", [WordLink(source=source, target=(0, 1))], masked) is None


def test_spans_may_be_placed_side_by_side() -> None:
    masked = mask("{a}/{b}", protected("{a}/{b}", "{a}", "{b}"), ())
    links = [WordLink(source=(0, 3), target=(0, 1)), WordLink(source=(4, 7), target=(1, 2))]
    assert text_of(place_by_alignment("xy", links, masked)) == "{a}{b}"


@pytest.mark.parametrize(
    ("target", "expected"),
    [("x hat", "%s hat"), ("x hat ⟦0⟧", None), ("x hat %s", None)],
)
def test_a_placed_translation_has_each_placeholder_once_and_no_symbol(
    target: str, expected: str | None
) -> None:
    masked = mask("%s has it", protected("%s has it", "%s"), SYMBOLS)
    found = place_by_alignment(target, [WordLink(source=(0, 3), target=(0, 1))], masked)
    assert (found and found.text) == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("Where is it?", "⟦1⟧ wo ist es?", "wo ist es?"),
        ("Where is it?", "Wo ⟦1⟧ ist ⟦0⟧⟦1⟧ es ⟦1⟧?", "Wo ist es?"),
        ("%s is it", "⟦1⟧ x ist es", "%s ist es"),
        ("It is ⟦1⟧", "x ist ⟦1⟧", "x ist ⟦1⟧"),
    ],
)
def test_symbols_that_were_made_up_are_taken_out(source: str, target: str, expected: str) -> None:
    masked = mask(source, [p for p in find_placeholders(source) if p.replacement == "%s"], SYMBOLS)
    at = target.find("x")
    links = [WordLink(source=(0, 3), target=(at, at + 1))]
    assert text_of(place_by_alignment(target, links, masked)) == expected


def test_plain_symbols_may_be_words() -> None:
    masked = mask("We are number one", [], PLAIN_SYMBOLS)
    assert text_of(place_by_alignment("Wir sind #1", [], masked)) == "Wir sind #1"
