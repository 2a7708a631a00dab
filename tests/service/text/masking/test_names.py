from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking import names
from service.text.masking.edits import Rewritten
from service.text.masking.names import KnownWords, mend_names
from service.text.masking.protected import Protected
from service.text.masking.symbols import Masked

_ENGLISH_TEXT = """
a about and at between contract dog gave he hello house hopkins i in johns knows lake met naples of
opened orchestra owe photo read said saw sees sphere station that the to today university
virologist was we with word yesterday
"""
_GERMAN_TEXT = """
am das den der die ein eine er gestern hallo haus heute hopkins hund ich in johns kennt las mit
napoli orchester photo rede sagte sah see sinfonie sphäre station teenager traf und universität
vertrag virologe von war wir wort über
"""
_ENGLISH, _GERMAN = (frozenset(text.split()) for text in (_ENGLISH_TEXT, _GERMAN_TEXT))
_WORDS = {"en": _ENGLISH, "de": _GERMAN}


def mended(source: str, target: str, way: str = "en-de") -> str:
    return found(source, target, way).text


def found(
    source: str, target: str, way: str = "en-de", protected: Sequence[Protected] = ()
) -> Rewritten:
    first, second = way.split("-")
    known = KnownWords(source=_WORDS.get(first, ()), target=_WORDS.get(second, ()))
    masked = Masked(rewritten=Rewritten(text=source), protected=tuple(protected), symbols=())
    return mend_names(target, masked, (first, second), known)


@pytest.mark.parametrize(
    ("source", "garbled", "right"),
    [
        ("I met Gonçalo Meireles.", "Ich traf Gonçalo Meirels.", "Ich traf Gonçalo Meireles."),
        ("He knows Corbyn.", "Er kennt Korbyn.", "Er kennt Corbyn."),
        ("I saw Grażyna today.", "Ich sah Gra\ufffdsamyna heute.", "Ich sah Grażyna heute."),
        ("I read Corbyn's word.", "Ich las Korbyns Wort.", "Ich las Corbyns Wort."),
        (
            "Meireles and Corbyn met Corbett.",
            "Meirels und Korbyn traf Korbett.",
            "Meireles und Corbyn traf Corbett.",
        ),
    ],
)
def test_a_garbled_name_is_put_back_in_german(source: str, garbled: str, right: str) -> None:
    assert mended(source, garbled) == right


@pytest.mark.parametrize(
    ("source", "garbled", "right"),
    [
        ("Ich traf Drita Mema.", "I met Drita mema.", "I met Drita Mema."),
        ("Wir sah Nives Brajković.", "We saw Nive's Brajković.", "We saw Nives Brajković."),
        ("Das Wort Brzezinskis.", "Brzinski's word.", "Brzezinski's word."),
        (
            "Wir Lucien Desrosiers.",
            "We owe Lucien's desrosic.",
            "We owe Lucien Desrosiers.",
        ),
        ("Ich sah Tapio Hämäläinen.", "I saw Tapio Hämhalins.", "I saw Tapio Hämäläinen."),
        ("Wir sah Nives Corbett.", "We saw nives Corbyn.", "We saw Nives Corbett."),
    ],
)
def test_a_garbled_name_is_put_back_in_english(source: str, garbled: str, right: str) -> None:
    assert mended(source, garbled, "de-en") == right


@pytest.mark.parametrize(
    ("source", "target", "way"),
    [
        ("I saw Naples.", "Ich sah Napoli.", "en-de"),  # known on both sides
        ("I met Corbyn.", "Ich traf Corbyns Hund.", "en-de"),  # it is there, with an ending
        ("I saw Meireles.", "Ich sah etwas.", "en-de"),  # nothing similar
        ("I saw Corbyn.", "Ich sah Hallo.", "en-de"),
        ("Virologists said that.", "Virologen sagte das.", "en-de"),  # its stem is known
        ("Das Sinfonieorchester.", "The Sinfonieorchestra.", "de-en"),  # a compound of known words
        ("Die Photosphäre.", "The Photosphere.", "de-en"),
        ("Die Teenagerin.", "The Teenageress.", "de-en"),
        ("Er kennt Leonow.", "He knows Leonov.", "de-en"),  # as English writes it
        ("Das Kariben.", "The caribens.", "de-en"),  # a noun that lost its capital is a word
        ("Die Rede Wesels.", "The word of Wesel.", "de-en"),  # a genitive
        ("Wileys Sinfonieorchester.", "Wiley's orchestra.", "de-en"),
        ("CORBYN said that.", "KORBYN sagte das.", "en-de"),
        ("Corbyn Meets Meireles Today Again", "Korbyn traf Meirels", "en-de"),  # a title
        ("He knows Al.", "Er kennt El.", "en-de"),  # too short
        ("He knows Corbyn.", "Viņš Korbins.", "en-lv"),  # Latvian respells names
        ("Graz\u0307yna saw.", "Gražina sah.", "en-de"),  # not in one character
    ],
)
def test_what_is_no_garbled_name_stays(source: str, target: str, way: str) -> None:
    assert mended(source, target, way) == target


def test_parts_of_a_compound_are_names_of_their_own() -> None:
    garbled = "Die Johns-Hopkins-Universität und Sang-wo."
    assert mended("Johns-Hopkins-University and Sang-woo.", garbled) == garbled
    assert mended("I saw Meireles-Corbyn.", "Ich Meirels-Corbyn.") == "Ich Meireles-Corbyn."


def test_protected_spans_and_what_they_stand_for_are_not_touched() -> None:
    source, target = "I saw Corbyn and Meireles.", "Ich sah Korbyn und Meirels."
    here = Protected(start=6, end=12, replacement="Korbyn")
    there = Protected(start=17, end=25, replacement="Meirels")
    assert found(source, target, protected=[here, there]).text == target
    assert found(source, target, protected=[there]).text == "Ich sah Corbyn und Meirels."


def test_a_list_of_names_is_left_alone() -> None:
    listed = [f"Korb{chr(97 + i % 26)}{chr(97 + i // 26)}yn" for i in range(9)]
    garbled = [name.replace("K", "C") for name in listed]
    words = " he knows that the word is said"
    many, few = " ".join(listed) + 4 * words, " ".join(listed[:3]) + words
    assert mended(many, " ".join(garbled)) == " ".join(garbled)
    assert mended(few, " ".join(garbled[:3])) == " ".join(listed[:3])


_NAMES = st.sampled_from(
    ["Meireles", "Corbyn", "Nives", "Brajković", "Drita", "Mema", "Corbett", "Lucien", "Desrosiers"]
)
_GARBLED = st.sampled_from(
    ["Meirels", "Korbyn", "Nive's", "mema", "Korbett", "Lucien's", "desrosic", "Gra�yna", "nives"]
)
_SOURCE_TEXT = st.lists(st.one_of(_NAMES, st.sampled_from(sorted(_GERMAN))), max_size=9)
_TARGET_TEXT = st.lists(st.one_of(_NAMES, _GARBLED, st.sampled_from(sorted(_ENGLISH))), max_size=9)


@given(_SOURCE_TEXT, _TARGET_TEXT)
def test_mending_twice_is_mending_once(source: list[str], target: list[str]) -> None:
    once = mended(" ".join(source), " ".join(target), "de-en")
    assert mended(" ".join(source), once, "de-en") == once


@given(_SOURCE_TEXT, _TARGET_TEXT)
def test_known_words_never_change_and_spans_map_back(source: list[str], target: list[str]) -> None:
    text = " ".join(target)
    rewritten = found(" ".join(source), text, "de-en")
    changed = " ".join(text[edit.start : edit.end] for edit in rewritten.edits)
    assert _ENGLISH.isdisjoint(changed.casefold().split())
    for edit in rewritten.edits:
        assert edit.text != text[edit.start : edit.end]
        start, end = rewritten.new_span(edit.start, edit.end)
        assert rewritten.text[start:end] == edit.text
        assert rewritten.old_span(start, end) == (edit.start, edit.end)
        assert edit.text.strip() in " ".join(source)


def test_a_sentence_costs_few_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def counted(first: str, second: str) -> float:
        compared.append(first)
        return 0.0

    monkeypatch.setattr(names, "similarity", counted)
    for number in (2, 8, 9, 200):
        of_letter = [f"Qu{chr(97 + i % 26)}{chr(97 + i // 26)}moor" for i in range(number)]
        garbled = [name.replace("moor", "maar") for name in of_letter]
        mended(" und ".join(of_letter), " and ".join(garbled), "de-en")
        assert len(compared) == (number**2 if number <= 8 else 0)
        compared.clear()
