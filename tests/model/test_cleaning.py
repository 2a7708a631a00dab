from collections import Counter

import pytest

from model.cleaning import cleaned, fault_of, mend
from model.corpus import SentencePair


@pytest.mark.parametrize(
    ("source", "target", "mended_source", "mended_target"),
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
def test_one_way_of_writing(
    source: str, target: str, mended_source: str, mended_target: str
) -> None:
    pair = SentencePair(source, target, "ui")
    assert mend(pair) == SentencePair(mended_source, mended_target, "ui")
    assert mend(mend(pair)) == mend(pair)


@pytest.mark.parametrize(
    ("source", "target", "fault"),
    [
        ("?plural:Canadians", "?plural:Kanadier", "with format markers"),
        ("translator-credits", "Karl Ei", "with format markers"),
        ("?gotodlg:more", "Weitere", "with unlike markers"),
        ("{{user}} came", "Benutzer kam", "with unlike markers"),
        ("set it to $PATH", "setzen", "with unlike markers"),
        ("in 1984", "im Jahr 1985", "with unlike numbers"),
        ("It costs 1,250 euros.", "Es kostet 1.520 Euro.", "with unlike numbers"),
        ("\u200b", "Hund", "with nothing but markers"),
    ],
)
def test_what_cannot_be_mended_is_left_out_and_its_fault_counted(
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
def test_what_only_looks_unlike_is_kept(source: str, target: str) -> None:
    assert fault_of(SentencePair(source, target)) is None
