"""Numbers before and after the model."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking.glossary import Glossary, GlossaryEntry
from service.text.masking.preprocessing import Preprocessed, PreprocessingOptions, preprocess
from tests.service.growth import assert_linear

SYMBOLS = tuple(f"⟦{i}⟧" for i in range(10))


def prepared(
    text: str, source: str = "en", target: str = "de", *, masks_numbers: bool = False
) -> Preprocessed:
    options = PreprocessingOptions(
        source_language=source,
        target_language=target,
        symbols=SYMBOLS,
        masks_numbers=masks_numbers,
    )
    return preprocess(text, options)


def masked(text: str, source: str = "en", target: str = "de", **options: bool) -> list[str]:
    return [p.replacement for p in prepared(text, source, target, **options).masked.protected]


def mended(text: str, translation: str, source: str = "en", target: str = "de") -> str:
    return prepared(text, source, target).mended(translation).text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("It costs $1,234.50.", ["1.234,50 $"]),
        ("Come at 5:30 p.m. today.", ["17:30 Uhr"]),
        ("Come at 10:52 today.", ["10:52 Uhr"]),
        ("Paid on 3/24/2024, thanks.", ["24.03.2024"]),
        ("The file has 3.5 GB.", ["3,5 GB"]),
        ("Sales fell by 12.5%.", ["12,5 %"]),
        ("Call +49 30 1234567 now.", ["+49 30 1234567"]),
        ("Read https://example.org/1,234.5 now.", ["https://example.org/1,234.5"]),
        ("Use 192.168.0.1 and v1.2.3.", ["192.168.0.1", "v1.2.3"]),
        ("Since 2024-03-04 it works.", ["2024-03-04"]),
    ],
)
def test_values_are_masked_by_the_targets_notation(text: str, written: list[str]) -> None:
    assert masked(text) == written


@pytest.mark.parametrize(
    "text",
    ["We won 17:21 there.", "Install Python 3.11 now.", "On 3/4/2024 it rained.",
     "In 1987 he left.", "She has 3 dogs.", "It was $4.5 million then.",
     "It was $4.5M, $3B and $1.2K then."],
)  # fmt: skip
def test_what_may_mean_something_else_is_not_masked(text: str) -> None:
    assert masked(text) == []


@pytest.mark.parametrize(
    ("text", "is_sentence"),
    [
        ("The shop closes at 3 p.m.", True),
        ('He said, "Call me before 3 p.m."', True),
        ("Open until 3 p.m.", False),
        ("9 a.m. to 3 p.m.", False),
        ("The shop closes at 3 p.m. today.", False),
        ("The shop closes at 3 pm.", True),
    ],
)
def test_stop_of_a_sentence_is_not_part_of_its_last_time(text: str, is_sentence: bool) -> None:
    masked_text = prepared(text).masked.text
    assert (re.search(r"⟦\d*⟧\W?\.", masked_text) is not None) == is_sentence, masked_text
    assert "15 Uhr" in masked(text)


def test_german_times_and_amounts_become_english_ones() -> None:
    assert masked("Es kostet 1.234,50 € heute.", "de", "en") == ["€1,234.50"]
    assert masked("Um 17 Uhr gehe ich.", "de", "en") == ["5 pm"]
    assert masked("Am 15.03.2024 war es so.", "de", "en") == ["March 15, 2024"]


@pytest.mark.parametrize(
    ("text", "source", "target", "written"),
    [
        ("We are open from 2 to 6 pm.", "en", "de", ["14 Uhr", "18 Uhr"]),
        ("We are open 2–6 pm.", "en", "de", ["14 Uhr–18 Uhr"]),
        ("We work 10 am - 6 pm.", "en", "de", ["10 Uhr - 18 Uhr"]),
        ("Es ist von 14 bis 16 Uhr offen.", "de", "en", ["2 pm", "4 pm"]),
        ("Es ist 8–20 Uhr offen.", "de", "en", ["8 am–8 pm"]),
        ("Es ist 22 Uhr - 6:30 Uhr zu.", "de", "en", ["10 pm - 6:30 am"]),
        ("Es ist von 12 bis 24 Uhr offen.", "de", "en", ["12 pm", "12 am"]),
        ("Es ist von 0 Uhr bis 5 Uhr zu.", "de", "en", ["12 am", "5 am"]),
        ("Es ist 8–11 Uhr offen.", "de", "en", ["8 o'clock–11 o'clock"]),
        ("Um 8 Uhr, um 20 Uhr", "de", "en", ["8 o'clock", "8 pm"]),
        ("Um 8 Uhr und 10,50 €-13 Uhr", "de", "en", ["8 o'clock", "€10.50", "1 pm"]),
    ],
)
def test_both_times_of_a_range_are_rewritten(
    text: str, source: str, target: str, written: list[str]
) -> None:
    assert masked(text, source, target) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("J'ai attendu 3 heures.", []),
        ("Il y a 2h, ouvert 24 heures sur 24.", []),
        ("C'est à 2 heures de Paris, un trajet de 2 à 3 heures.", []),
        ("Le train part à 15 h.", ["3 pm"]),
        ("Vers 20 heures, dès 7h ou à 17 h 30.", ["8 pm", "7 o'clock", "5:30 pm"]),
        ("Ouvert de 9 h à 18 h.", ["9 am", "6 pm"]),
        ("Ouvert 9h-18h, 15h30 à 17 h.", ["9 am-6 pm", "3:30 pm", "5 pm"]),
    ],
)
def test_french_hours_are_a_time_of_day_where_something_says_so(
    text: str, written: list[str]
) -> None:
    assert masked(text, "fr", "en") == written


def test_all_numbers_with_marks_are_masked_on_request() -> None:
    text = "On March 3 there were 1,234 people and 2.5 liters."
    assert masked(text) == []
    assert masked(text, masks_numbers=True) == ["3. März", "1.234"]


def test_a_language_without_a_notation_changes_nothing() -> None:
    assert masked("It costs $1,234.50 at 5 pm.", "en", "ja") == []
    assert (
        mended("It costs 1,234.50.", "それは1,234.50です。", "en", "ja") == "それは1,234.50です。"
    )


def test_a_glossary_term_wins_over_a_number() -> None:
    options = PreprocessingOptions(
        source_language="en",
        target_language="de",
        glossary=Glossary([GlossaryEntry(source="at 5 pm", target="zur Teestunde")]),
        symbols=SYMBOLS,
    )
    found = preprocess("Come at 5 pm today.", options)
    assert [p.replacement for p in found.masked.protected] == ["zur Teestunde"]


@pytest.mark.parametrize(
    ("text", "translation", "right"),
    [
        ("He has 1,234.5 points.", "Er hat 1,234.5 Punkte.", "Er hat 1.234,5 Punkte."),
        ("He has 1,234,567 points.", "Er hat 1,234.567 Punkte.", "Er hat 1.234.567 Punkte."),
        ("He has 1.234 points.", "Er hat 1.234 Punkte.", "Er hat 1,234 Punkte."),
        ("He has 4 dogs.", "Er hat 5 Hunde.", "Er hat 4 Hunde."),
        ("It is 2.0 now.", "Es ist 2.0 jetzt.", "Es ist 2,0 jetzt."),
        ("On March 3 it rained.", "Am März 3 regnete es.", "Am 3. März regnete es."),
        ("He got 5 milligrams.", "Er bekam 5 Milligrams.", "Er bekam 5 Milligramm."),
        ("He has three dogs.", "Er hat 3 Hunde.", "Er hat 3 Hunde."),
        ("Use Python 3.11 now.", "Nutze jetzt Python 3.11.", "Nutze jetzt Python 3.11."),
        ("It is -5 degrees.", "Es sind 5 Grad.", "Es sind -5 Grad."),
        ("He has 12 dogs.", "Er hat Hunde.", "Er hat Hunde."),
    ],
)
def test_a_translation_gets_the_numbers_of_its_source(
    text: str, translation: str, right: str
) -> None:
    assert mended(text, translation) == right
    assert mended(text, right) == right


def test_addresses_are_not_mended() -> None:
    text = "See http://a.org/2.5 for 2.5 dogs."
    translation = "Siehe http://a.org/2.5 für 2.5 Hunde."
    assert mended(text, translation) == "Siehe http://a.org/2.5 für 2,5 Hunde."


def test_a_time_alone_is_rewritten_and_digits_alone_are_not() -> None:
    assert prepared("5:30 pm").without_model() == "17:30 Uhr"
    assert prepared("5:30 pm").has_terms
    assert not prepared("1,234.56 / 7 890").has_terms
    assert not prepared("€ 12.50").has_terms


@given(st.text(alphabet="abc ABC.,!?'äöü-", max_size=80), st.text(max_size=80))
def test_nothing_changes_without_digits(text: str, translation: str) -> None:
    assert prepared(text).mended(translation).text == translation
    assert prepared(text, masks_numbers=True) == prepared(text)


@given(st.text(alphabet="0123456789.,:/-$€% apm\u00a0", max_size=60), st.booleans())
def test_the_masked_text_gives_every_span_back(text: str, masks_numbers: bool) -> None:
    found = prepared(text.strip(), masks_numbers=masks_numbers)
    core = found.unmasked(found.text)
    assert core is None or all(p.replacement in core.text for p in found.masked.protected)


@given(st.text(alphabet="0123456789.,:/ ap", max_size=60))
def test_mending_is_done_once_and_for_all(text: str) -> None:
    once = mended(text.strip(), text)
    assert mended(text.strip(), mended(text.strip(), once)) == mended(text.strip(), once)


@pytest.mark.parametrize("text", ["1,234.5 ", "$1 ", "5 pm ", "March 3, 2024 ", "1.", "1 km "])
def test_twice_the_numbers_are_twice_the_work(text: str) -> None:
    def work(size: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
        whole = text * (size // len(text))

        def run() -> str:
            return prepared(whole + "x", masks_numbers=True).mended(whole).text

        return run

    assert_linear(work, 1_000)
