"""Pairs that are made from templates, and the templates of the embedded model."""

import re
from collections import Counter
from pathlib import Path

import pytest

from model.data.cleaning import cleaned
from model.data.corpus import SentencePair, read_pairs
from model.synthesis.templates import Names, filled

FOLDER = Path(__file__).parents[3] / "model" / "configs"
SLOT = re.compile(r"\{\w+\}")
NAMES = Names(
    [
        SentencePair("Ana", "Ana", "first"),
        SentencePair("Roy", "Roy", "last"),
        SentencePair("Munich", "München", "place"),
    ]
)


def made(source: str, target: str, count: int = 300) -> list[SentencePair]:
    return filled([SentencePair(source, target)], NAMES, count=count, seed=1)


@pytest.mark.parametrize(
    ("slot", "english", "german"),
    [
        ("{count}", r"\d{1,3}(,\d{3})*|\d{4}", r"\d{1,3}(\.\d{3})*|\d{4}"),
        ("{decimal}", r"\d{1,3}(,\d{3})*\.\d+", r"\d{1,3}(\.\d{3})*,\d+"),
        ("{percent}", r"\d+(\.\d)?(%| percent)", r"\d+(,\d)? (%|Prozent)"),
        ("{time}", r"\d{1,2}([:.]\d\d)?( [ap]\.m\.| o'clock)?", r"\d{1,2}([:.]\d\d)? Uhr"),
        ("{ordinal}", r"\d+(st|nd|rd|th)", r"\d+\."),
        ("{score}", r"\d\u2013\d", r"\d:\d"),
    ],
)
def test_each_language_writes_a_value_its_way(slot: str, english: str, german: str) -> None:
    pairs = made(slot, slot)
    assert len(pairs) > 15
    assert all(re.fullmatch(english, pair.source) for pair in pairs)
    assert all(re.fullmatch(german, pair.target) for pair in pairs)


def test_prices_keep_their_amount_and_currency() -> None:
    signs = {"€": "€", "euros": "Euro", "$": "$", "dollars": "Dollar", "£": "£", "pounds": "Pfund"}
    for pair in made("{price}", "{price}"):
        assert Counter(re.findall(r"\d", pair.source)) == Counter(re.findall(r"\d", pair.target))
        (english,) = [sign for sign in signs if sign in pair.source]
        assert pair.target.endswith(f" {signs[english]}")


def test_afternoon_hours_are_told_in_twelve_and_in_twenty_four() -> None:
    for pair in made("{time}", "{time}"):
        english, german = (int(re.findall(r"\d+", side)[0]) for side in (pair.source, pair.target))
        is_afternoon = "p.m." in pair.source
        assert german % 12 == english % 12
        assert is_afternoon <= (german >= 12)


def test_one_value_fills_a_slot_on_both_sides_and_a_numbered_one_is_another() -> None:
    pairs = made("{code} {code2} {code}", "{code2} {code}")
    assert all(p.target.split() for p in pairs)
    one = made("{year} {year2} {year}", "{year2} {year}")
    for pair in one:
        first, second, third = pair.source.split()
        assert first == third
        assert pair.target == f"{second} {first}"


def test_a_sentence_ends_with_one_full_stop() -> None:
    pairs = made("It begins at {time}.", "Es beginnt um {time}.")
    assert not any(pair.source.endswith("..") for pair in pairs)
    assert any(pair.source.endswith("p.m.") for pair in pairs)


def test_the_seed_decides_and_no_pair_comes_twice() -> None:
    pairs = made("{name}, {place}, {count}", "{name}, {place}, {count}")
    assert pairs == made("{name}, {place}, {count}", "{name}, {place}, {count}")
    assert len(set(pairs)) == len(pairs) == 300
    assert pairs[0].source.startswith("Ana Roy, Munich, ")
    assert pairs[0].target.startswith("Ana Roy, München, ")
    assert made("{first}", "{first}") == [SentencePair("Ana", "Ana", "templates")]


def test_the_templates_of_the_embedded_model_have_the_same_slots_on_both_sides() -> None:
    templates, report = read_pairs("en-de-templates.tsv", FOLDER)
    assert report.num_bad == 0
    for pair in templates:
        assert Counter(SLOT.findall(pair.source)) == Counter(SLOT.findall(pair.target)), pair
    names, report = read_pairs("en-de-names.tsv", FOLDER)
    assert report.num_bad == 0
    pairs = filled(templates, Names(names), count=4000, seed=2)
    assert len(pairs) == 4000
    assert not any("{" in pair.source + pair.target for pair in pairs)
    assert len(cleaned(pairs)[0]) > 3950
