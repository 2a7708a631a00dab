"""What numbers, dates and times mean in a language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.numbers.finder import find_values
from service.text.numbers.notation import known_notations
from service.text.numbers.values import Code, Date, Number, Time
from tests.service.growth import assert_linear


def keys(text: str, language: str) -> list[list[str]]:
    return [sorted(value.keys()) for value in find_values(text, language)]


@pytest.mark.parametrize(
    ("text", "language", "key"),
    [
        ("1,234", "en", "1234"),
        ("1,234", "de", "1.234"),
        ("1.234", "de", "1234"),
        ("1.234", "en", "1.234"),
        ("1,234.50", "en", "1234.5"),
        ("1,234.50", "de", "1234.5"),
        ("1.234.567", "de", "1234567"),
        ("3.11", "de", "3.11"),
        ("0.500", "de", "0.5"),
        ("1 234,5", "fr", "1234.5"),
        ("1\u202f234", "fr", "1234"),
        ("1'234", "de", "1234"),
        ("-5", "en", "-5"),
        ("192.168.1.1", "en", "c192.168.1.1"),
        ("089 123 456", "de", "c089 123 456"),
        ("0.800.123", "de", "c0.800.123"),
        ("5 pm", "en", "t17:00:00"),
        ("12 am", "en", "t0:00:00"),
        ("12:30 p.m.", "en", "t12:30:00"),
        ("17.30 Uhr", "de", "t17:30:00"),
        ("17 h 30", "fr", "t17:30:00"),
        ("3. März 2024", "de", "d24-3-3"),
        ("March 3rd, 2024", "en", "d24-3-3"),
        ("3 de marzo de 2024", "es", "d24-3-3"),
        ("3 marca 2024", "pl", "d24-3-3"),
        ("03.03.2024", "de", "d24-3-3"),
        ("2024-03-03", "en", "d24-3-3"),
        ("3/24/2024", "en", "d24-3-24"),
    ],
)
def test_a_value_means_what_its_language_says(text: str, language: str, key: str) -> None:
    assert keys(text, language) == [[key]]


def test_a_day_in_slashes_may_be_two_days() -> None:
    (value,) = find_values("3/4/2024", "en")
    assert value.keys() == {"d24-3-4", "d24-4-3"}
    assert value.meaning == Date(month=3, day=4, year="2024")
    (british,) = find_values("3/4/2024", "en-GB")
    assert british.meaning == Date(month=4, day=3, year="2024")


def test_a_clock_without_a_half_may_be_twelve_hours_later() -> None:
    assert keys("at 5:30", "en") == [["t17:30:00", "t5:30:00"]]
    assert keys("17:30", "en") == [["t17:30:00"]]
    assert keys("5:30 Uhr", "de") == [["t5:30:00"]]
    assert keys("5 Uhr abends", "de") == [["t17:00:00", "t5:00:00"]]


@pytest.mark.parametrize(
    ("text", "language", "first"),
    [
        ("from 2 to 6 pm", "en", "t14:00:00"),
        ("between 10 and 2 p.m.", "en", "t10:00:00"),
        ("10–12 pm", "en", "t10:00:00"),
        ("5:30-5:45 pm", "en", "t17:30:00"),
        ("12 - 3 pm", "en", "t12:00:00"),
        ("von 14 bis 16 Uhr", "de", "t14:00:00"),
        ("zwischen 8.30 und 20 Uhr", "de", "t8:30:00"),
        ("14–16 Uhr", "de", "t14:00:00"),
        ("from 14 to 6 pm", "en", "14"),
        ("room 2 to 6 pm", "en", "2"),
        ("$5-6 pm", "en", "5"),
        ("Zimmer 5 bis 17 Uhr", "de", "5"),
    ],
)
def test_a_time_makes_one_of_the_number_that_it_ends_a_range_with(
    text: str, language: str, first: str
) -> None:
    assert keys(text, language)[0] == [first]


@pytest.mark.parametrize(
    "text", ["Python 3.11", "Version 2.0", "§ 12", "Section 3.2", "B2B", "Firefox 115.2"]
)
def test_numbers_of_versions_and_chapters_are_fixed(text: str) -> None:
    assert all(value.is_fixed for value in find_values(text, "en"))


def test_units_stand_beside_their_numbers() -> None:
    text = "$5, 6 €, 7%, 8 km, 9 kilometres, 10 apples"
    assert [value.unit for value in find_values(text, "en")] == ["USD", "EUR", "%", "km", "km", ""]


def test_ranges_are_several_numbers() -> None:
    assert keys("10-12, 3/4", "en") == [["10"], ["12"], ["3"], ["4"]]


@given(st.text(max_size=100), st.sampled_from(known_notations()))
def test_values_are_in_order_and_hold_digits(text: str, language: str) -> None:
    end = 0
    for value in find_values(text, language):
        assert end <= value.start < value.end
        assert any(map(str.isdecimal, text[value.start : value.end]))
        assert isinstance(value.meaning, Number | Time | Date | Code)
        end = value.end


@given(st.text(alphabet="0123456789.,:/-' €$aM\u00a0\u202f", max_size=60))
def test_every_digit_is_in_a_value(text: str) -> None:
    inside = {i for value in find_values(text, "de") for i in range(value.start, value.end)}
    assert {i for i, character in enumerate(text) if character.isdecimal()} <= inside


@pytest.mark.parametrize(
    "text", ["1", "1 ", "1.", "1,", "1.234.", "1 234 ", "1:1", "1/", "1-", "March 3 ", "3. März ",
             "5 pm ", "12 Uhr 30 ", "$1 ", "minus 1 ", "1-5 pm ", "von 1 bis 5 Uhr ",
             "1 h ", "à 1h-"],
)  # fmt: skip
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_twice_the_digits_are_twice_the_work(text: str, language: str) -> None:
    def work(size: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
        whole = text * (size // len(text))
        return lambda: find_values(whole, language)

    assert_linear(work, 4_000)
