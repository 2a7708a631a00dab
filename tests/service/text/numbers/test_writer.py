"""How numbers, dates and times are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.numbers.finder import find_values
from service.text.numbers.notation import known_notations, notation_of
from service.text.numbers.values import Date, Number, Time
from service.text.numbers.writer import write_date, write_number, write_time

LANGUAGES = st.sampled_from(known_notations())
DIGITS = st.from_regex(r"[1-9][0-9]{0,11}", fullmatch=True)


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "12,345.60"), ("de", "12.345,60"), ("fr", "12\u202f345,60"), ("pl", "12\u00a0345,60")],
)
def test_marks_are_those_of_the_language(language: str, written: str) -> None:
    notation = notation_of(language)
    assert notation
    number = Number(whole="12345", fraction="60", is_grouped=True)
    assert write_number(number, notation) == written


def test_four_digits_are_not_grouped_in_spanish() -> None:
    spanish, german = notation_of("es"), notation_of("de")
    assert spanish and german
    number = Number(whole="1234", is_grouped=True)
    assert write_number(number, spanish) == "1234"
    assert write_number(number, german) == "1.234"


@pytest.mark.parametrize(
    ("time", "english", "german"),
    [
        (Time(hour=17, is_whole=True), "5 pm", "17 Uhr"),
        (Time(hour=17, minute=5), "5:05 pm", "17:05 Uhr"),
        (Time(hour=0, minute=30), "12:30 am", "0:30 Uhr"),
        (Time(hour=8, is_whole=True), "8 o'clock", "8 Uhr"),
        (Time(hour=8, minute=30, second=5), "8:30:05", "8:30:05 Uhr"),
    ],
)
def test_times_have_a_half_where_no_other_reading_is_left(
    time: Time, english: str, german: str
) -> None:
    en, de = notation_of("en"), notation_of("de")
    assert en and de
    assert (write_time(time, en), write_time(time, de)) == (english, german)


@pytest.mark.parametrize(
    ("time", "french"),
    [
        (Time(hour=17, minute=30), "17 h 30"),
        (Time(hour=17, minute=30, second=20), "17:30:20"),
        (Time(hour=17, minute=0, second=0), "17:00:00"),
    ],
)
def test_french_times_keep_their_seconds(time: Time, french: str) -> None:
    notation = notation_of("fr")
    assert notation
    assert write_time(time, notation) == french


def test_dates_are_written_with_and_without_a_year() -> None:
    en, gb, de = notation_of("en"), notation_of("en-GB"), notation_of("de")
    assert en and gb and de
    date = Date(day=3, month=5, year="2024", is_named=True)
    assert write_date(date, en) == "May 3, 2024"
    assert write_date(date, gb) == "3 May 2024"
    assert write_date(date, de) == "3. Mai 2024"
    assert write_date(Date(day=3, month=5, is_named=True), de) == "3. Mai"
    assert write_date(Date(day=3, month=5, year="2024"), de) == "03.05.2024"


@given(DIGITS, st.from_regex(r"[0-9]{0,6}", fullmatch=True), st.booleans(), LANGUAGES)
def test_a_number_is_read_as_it_was_written(
    whole: str, fraction: str, is_grouped: bool, language: str
) -> None:
    notation = notation_of(language)
    assert notation
    number = Number(whole=whole, fraction=fraction, is_grouped=is_grouped)
    (value,) = find_values(write_number(number, notation), language)
    assert value.keys() == frozenset(number.keys())


@given(st.integers(1, 28), st.integers(1, 12), st.integers(1000, 2099), LANGUAGES, st.booleans())
def test_a_date_is_read_as_it_was_written(
    day: int, month: int, year: int, language: str, is_named: bool
) -> None:
    notation = notation_of(language)
    assert notation
    date = Date(day=day, month=month, year=str(year), is_named=is_named)
    (value,) = find_values(write_date(date, notation), language)
    assert set(date.keys()) <= value.keys()
