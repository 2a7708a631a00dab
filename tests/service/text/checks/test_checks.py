"""What the checks report, and what they let pass."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.checks import CHECK_NAMES, check
from tests.service.growth import assert_linear


def names(
    source: str, target: str, source_language: str = "en", target_language: str = "de"
) -> set[str]:
    return {found.name for found in check(source, target, source_language, target_language)}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("It costs $1,234.50.", "Es kostet 1.234,50 $."),
        ("Call me at 5 pm.", "Ruf mich um 17 Uhr an."),
        ("Call me at 5:30 p.m.", "Ruf mich um 17.30 Uhr an."),
        ("I have 3 dogs.", "Ich habe drei Hunde."),
        ("I have twelve dogs.", "Ich habe 12 Hunde."),
        ("On March 3rd, 2024 it rained.", "Am 3. März 2024 regnete es."),
        ("On 3/4/2024 it rained.", "Am 04.03.2024 regnete es."),
        ("The 1980s were fun.", "Die 1980er waren lustig."),
        ("It has 2 million people.", "Es hat 2 Millionen Einwohner."),
        ("Sales fell by 12.5 per cent.", "Der Umsatz fiel um 12,5 %."),
        ("Call 030 1234567.", "Rufen Sie 030/1234567 an."),
        ("Use Python 3.11.", "Nehmen Sie Python 3.11."),
        ("Wait from 10-12 minutes.", "Warten Sie 10 bis 12 Minuten."),
        ("He did not come.", "Er kam nicht."),
        ("He never came.", "Er kam nie."),
        ("It's cold, isn't it?", "Es ist kalt, oder?"),
        ("I met Angela in Berlin.", "Ich habe Angela in Berlin getroffen."),
        ("NASA sent a probe.", "Die NASA schickte eine Sonde."),
        ("The water is warm.", "Das Wasser ist warm."),
        ("It is very, very cold.", "Es ist sehr, sehr kalt."),
        ("Hello", "Hallo"),
    ],
)
def test_a_good_translation_raises_no_alarm(source: str, target: str) -> None:
    assert check(source, target, "en", "de") == ()
    assert check(target, source, "de", "en") == ()


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [
        ("It costs $1,234.50.", "Es kostet 1.234,60 $.", "number"),
        ("It costs 1,234 dollars.", "Es kostet 1,234 Dollar.", "number"),
        ("The town has 1,234,567 people.", "Die Stadt hat 1,234.567 Einwohner.", "number"),
        ("It costs 20 dollars.", "Es kostet 20 Euro.", "number"),
        ("It is 20 km away.", "Es ist 20 Meilen entfernt.", "number"),
        ("Call me at 5 pm.", "Ruf mich um 5 Uhr an.", "number"),
        ("It rained on March 3, 2024.", "Am 4. März 2024 regnete es.", "number"),
        ("Take 4 tablets a day.", "Nimm am Tag Tabletten.", "number"),
        ("It is -5 °C outside.", "Draußen sind es 5 °C.", "number"),
        ("He did not come.", "Er kam.", "negation"),
        ("He came home.", "Er kam nicht heim.", "negation"),
        ("Yesterday I met Becker again.", "Gestern traf ich ihn wieder.", "name"),
        ("The FDA said so.", "Das Amt sagte es.", "acronym"),
        ("The leaflet is here.", "Das leaflet ist hier.", "copied"),
        ("Mr. Becker", "Herr, Herr, Herr", "repetition"),
        ("I want to go home.", "Ich will nach Hause, ich will nach Hause.", "repetition"),
        ("One sentence of words that says a good deal about a dog.", "Ja.", "length"),
        ("Yes.", "Das ist ein ganzer Satz, der so nicht im Text gestanden hat.", "length"),
    ],
)
def test_a_fault_is_reported_by_its_check(source: str, target: str, name: str) -> None:
    assert name in names(source, target)


def test_a_changed_number_is_reported_with_both_places() -> None:
    (found,) = check("It costs 20 dollars.", "Es kostet 30 Dollar.", "en", "de")
    assert found.source_span == (9, 11)
    assert found.target_span == (10, 12)
    assert found.message == "20 became 30"


def test_a_german_noun_left_in_english_is_reported() -> None:
    assert names("Lies die Packungsbeilage!", "Read the Packungsbeilage!", "de", "en") == set()
    assert names("Lies die Anleitung!", "Read the Anleitung!", "de", "en") == {"copied"}


def test_languages_without_a_table_have_no_check_of_negation() -> None:
    assert names("Hän ei tullut.", "He came.", "fi", "en") == set()
    assert names("Er kam nicht.", "Il est venu.", "de", "fr") == set()


def test_other_languages_compare_numbers_in_their_notation() -> None:
    assert names("It costs 1,234.50 euros.", "Cela coûte 1\u202f234,50 euros.", "en", "fr") == set()
    assert names("It costs 1,234.50 euros.", "Cela coûte 1,234 euros.", "en", "fr") == {"number"}
    assert names("1 234,5 osób", "1,234.5 people", "pl", "en") == set()


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["en", "de", "fr", "ja", "x"]))
def test_every_text_can_be_checked_and_spans_are_in_it(
    source: str, target: str, language: str
) -> None:
    for found in check(source, target, "en", language) + check(source, target, language, "de"):
        assert found.name in CHECK_NAMES
        for span, text in ((found.source_span, source), (found.target_span, target)):
            assert span is None or 0 <= span[0] <= span[1] <= len(text)


@given(st.text(alphabet="0123456789.,:/-' \u00a0\u202f€%ap", max_size=60))
def test_a_copy_between_equal_languages_keeps_every_number(text: str) -> None:
    assert not [f for f in check(text, text, "de", "de") if f.name == "number"]


@pytest.mark.parametrize(
    "text",
    ["1 ", "1.", "1,234.", "1:", "Jan", "1. März ", "minus ", "not ", "a", "A ", "NASA ", "ab cd ",
     "1 234 ", "Tom Becker ", "-1 ", "½ ", "12 Uhr 30 ", "n't ", "%$€ "],
)  # fmt: skip
def test_twice_the_text_is_twice_the_work(text: str) -> None:
    def work(size: int) -> Callable[[], object]:
        whole = text * (size // len(text))
        return lambda: check(whole, whole + "!", "en", "de")

    assert_linear(work, 2_000)
