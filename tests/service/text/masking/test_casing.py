import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking.casing import Case, case_of, recase, truecase
from service.text.masking.placeholders import find_placeholders
from service.text.masking.protected import Protected, cut_around

CASES: tuple[Case, ...] = ("as_is", "capitals", "title")


def parts_of(text: str) -> list[str | Protected]:
    return cut_around(text, find_placeholders(text))


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("THE HOUSE IS SMALL.", "capitals"),
        ("STOP!", "capitals"),
        ("DO IT NOW", "capitals"),
        ("DIE STRAßE IST GESPERRT", "capitals"),
        ("WELCOME BACK, {name}!", "capitals"),
        ("WRITE TO anna@example.org", "capitals"),
        ("МОСКВА", "capitals"),
        ("OK, USA!", "as_is"),
        ("WHO?", "as_is"),
        ("HTML, PDF, XML, TV", "as_is"),
        ("I", "as_is"),
        ("", "as_is"),
        ("123 %s", "as_is"),
        ("Do NOT open the door", "as_is"),
        ("WARNING: do not open", "as_is"),
        ("The EU and NASA work", "as_is"),
        ("the house", "as_is"),
        ("日本", "as_is"),
        ("How To Install Your New Device", "title"),
        ("The Small House Next To The Old School", "title"),
        ("10 Reasons Why You Need A New iPhone", "title"),
        ("How To Use An iOS Device", "title"),
        ("Work At Home", "title"),
        ("Work At home", "as_is"),
        ("Bank of New York", "as_is"),
        ("Alice and Bob Miller", "as_is"),
        ("New York Times", "as_is"),
        ("The House is small", "as_is"),
        ("How To", "as_is"),
    ],
)
def test_how_an_english_sentence_is_written(text: str, case: Case) -> None:
    assert case_of(parts_of(text), "en") == case


def test_german_has_no_titles_in_capitals() -> None:
    assert case_of(["How To Install Your New Device"], "de") == "as_is"
    assert case_of(["How To Install Your New Device"], "en-GB") == "title"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("THE HOUSE IS SMALL.", "The house is small."),
        ("STOP! DON'T GO.", "Stop! Don't go."),
        ("“STOP!” I SAID, AND I WENT.", "“Stop!” I said, and I went."),
        ("OPEN {NAME} AS PDF", "Open {NAME} as PDF"),
        ("10 GUTE GRÜNDE", "10 gute gründe"),
        ("İSTANBUL", "İstanbul"),
        ("How To Use A NASA iPhone", "How to use a NASA iPhone"),
    ],
)
def test_a_sentence_is_put_into_ordinary_case(text: str, expected: str) -> None:
    parts = parts_of(text)
    assert truecase(text, case_of(parts, "en"), parts) == expected


@pytest.mark.parametrize(
    ("text", "case", "language", "expected"),
    [
        ("Die Straße ist gesperrt.", "capitals", "de", "DIE STRASSE IST GESPERRT."),
        ("Öffnen Sie {name}, ⟦0⟧", "capitals", "de", "ÖFFNEN SIE {name}, ⟦0⟧"),
        ("die Kinder in {in}", "capitals", "de", "DIE KINDER IN {in}"),
        ("istanbul", "capitals", "tr", "İSTANBUL"),
        ("istanbul", "capitals", "az-Latn", "İSTANBUL"),
        ("wie man ein Haus baut", "title", "de", "Wie man ein Haus Baut"),
        ("das kleine Haus an der alten Mauer", "title", "de", "Das Kleine Haus an der Alten Mauer"),
        ("the iPhone of {name}", "title", "en", "The IPhone of {name}"),
        ("wie er will", "as_is", "de", "wie er will"),
    ],
)
def test_a_translation_gets_the_case_of_its_source(
    text: str, case: Case, language: str, expected: str
) -> None:
    assert recase(text, case, language, ["{name}", "{in}"]) == expected


def test_a_kept_word_is_kept_where_it_stands_alone() -> None:
    assert recase("Kinder in der App", "capitals", "de", ["in", "App"]) == "KINDER in DER App"


@given(st.text(), st.sampled_from(CASES))
def test_ordinary_case_is_as_long_and_leaves_placeholders(text: str, case: Case) -> None:
    protected = find_placeholders(text)
    plain = truecase(text, case, cut_around(text, protected))
    assert len(plain) == len(text)
    assert all(plain[p.start : p.end] == p.replacement for p in protected)


@given(st.text(st.sampled_from("AB CÄ.!"), max_size=30))
def test_capitals_come_back(text: str) -> None:
    assert recase(truecase(text, "capitals", [text]), "capitals", "en") == text


@pytest.mark.parametrize("unit", ["A", "A ", ". ", '!" ', "'", "I'"])
def test_hostile_text_takes_no_more_than_its_share_of_time(unit: str) -> None:
    text = unit * 50_000
    assert len(truecase(text, case_of([text], "en"), [text])) == len(text)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("DİKKAT: KAPI AÇIK", "tr", "Dikkat: kapı açık"),
        ("İSTANBUL IRMAK", "tr-TR", "İstanbul ırmak"),
        ("KAPI AÇIK", "de", "Kapi açik"),
        ("ΠΡΟΣΟΧΗ: Ο ΔΡΟΜΟΣ ΕΙΝΑΙ ΚΛΕΙΣΤΟΣ", "el", "Προσοχη: ο δρομος ειναι κλειστος"),
    ],
)
def test_small_letters_are_those_of_the_language(text: str, language: str, expected: str) -> None:
    assert truecase(text, "capitals", [text], language) == expected
