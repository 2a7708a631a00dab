from collections import Counter

import pytest

from model.data.cleaning import cleaned, fault_of, normalise
from model.data.corpus import SentencePair


@pytest.mark.parametrize(
    ("source", "target", "normalised_source", "normalised_target"),
    [
        ("It\u2019s \u201cnew\u201d.", "Es ist »neu«.", 'It\'s "new".', "Es ist „neu“."),
        ('The "key"', 'Der "Schlüssel"', 'The "key"', "Der „Schlüssel“"),
        ('The "key"', "Der «Schlüssel»", 'The "key"', "Der „Schlüssel“"),
        ("Save...", "Speichern …", "Save...", "Speichern..."),
        ("Save…", "Speichern ...", "Save…", "Speichern…"),
        ("10\u00a0km", "10\u202fkm", "10 km", "10 km"),
        ("co\u00adop\ufeff", "\u200bGenossenschaft", "coop", "Genossenschaft"),
        ("_Open", "Ö&ffnen", "Open", "Ö&ffnen"),
        ("&Open the file", "_Datei öffnen", "Open the file", "Datei öffnen"),
        ("_Print _now", "_Jetzt drucken", "_Print _now", "Jetzt drucken"),
        ("~/notes", "~/notes", "~/notes", "~/notes"),
        ("snake_case", "snake_case", "snake_case", "snake_case"),
    ],
)
def test_notation_is_normalised(
    source: str, target: str, normalised_source: str, normalised_target: str
) -> None:
    pair = SentencePair(source, target, "ui")
    assert normalise(pair) == SentencePair(normalised_source, normalised_target, "ui")
    assert normalise(normalise(pair)) == normalise(pair)


@pytest.mark.parametrize(
    ("source", "target", "fault"),
    [
        ("?plural:Canadians", "?plural:Kanadier", "with format markers"),
        ("translator-credits", "Karl Ei", "with format markers"),
        ("?gotodlg:more", "Weitere", "with unequal markers"),
        ("{{user}} came", "Benutzer kam", "with unequal markers"),
        ("set it to $PATH", "setzen", "with unequal markers"),
        ("in 1984", "im Jahr 1985", "with unequal numbers"),
        ("It costs 1,250 euros.", "Es kostet 1.520 Euro.", "with unequal numbers"),
        ("\u200b", "Hund", "without text"),
    ],
)
def test_a_fault_that_cannot_be_repaired_is_left_out_and_its_fault_counted(
    source: str, target: str, fault: str
) -> None:
    good, bad = SentencePair("a dog", "ein Hund"), SentencePair(source, target)
    assert cleaned([good, bad]) == ([good], Counter([fault]))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("It costs 1,250.50 euros.", "Es kostet 1.250,50 Euro."),
        ("at 4:30 p.m.", "um 16:30 Uhr"),
        ("at 4.45pm", "um 16.45 Uhr"),
        ("on 3 May 2024", "am 03.05.2024"),
        ("half past six", "6:30 Uhr"),
        ("They won 27–29.", "Sie gewannen 27:29."),
        ("It is $450.", "Es sind 450 $."),
        ("{{user}} came", "{{user}} kam"),
    ],
)
def test_equal_values_in_different_notation_are_kept(source: str, target: str) -> None:
    assert fault_of(SentencePair(source, target)) is None
