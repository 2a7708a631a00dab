from collections import Counter

import pytest

from model.data.corpus import SentencePair
from model.data.filtering import SideWords, fault_of, filtered
from tests.data.toy_language import sentence_pairs

PAIRS = [SentencePair(*pair) for pair in sentence_pairs(300, seed=5)]
WORDS = SideWords.of(PAIRS)


def test_good_pairs_are_kept_in_order() -> None:
    assert filtered(PAIRS) == (PAIRS, Counter())


@pytest.mark.parametrize(
    ("source", "target", "fault"),
    [
        ("Version 2", "Version 2", "copies"),
        ("yes", "das große Haus sieht den Hund", "of unlike length"),
        ("Save %s?", "Speichern?", "with unlike placeholders"),
        ("Save {name}?", "Speichern, {file}?", "with unlike placeholders"),
        ("a <b>house</b>", "ein <b>Haus", "with unlike placeholders"),
        ("der Hund sieht die Katze", "the dog sees the cat", "with a source in the wrong language"),
        ("the dog sees the cat", "the dog sees the bird", "with a target in the wrong language"),
    ],
)
def test_a_bad_pair_is_left_out_and_its_fault_counted(source: str, target: str, fault: str) -> None:
    bad = SentencePair(source, target)
    assert fault_of(bad, WORDS) == fault
    assert filtered([*PAIRS[:50], bad, *PAIRS[50:]]) == (PAIRS, Counter([fault]))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Save %s to <b>%d</b>", "%s in <b>%d</b> speichern"),
        ("an open file", "eine offene Datei"),
        ("100 % sure", "zu 100 % sicher"),
        ("GIMP", "Gimp"),
        ("xyzzy plugh frotz blorb", "xyzzy plugh frotz blorb!"),
    ],
)
def test_what_only_looks_odd_is_kept(source: str, target: str) -> None:
    assert fault_of(SentencePair(source, target), WORDS) is None


def test_few_words_are_not_judged_by_their_language() -> None:
    assert WORDS.leaning("der Hund sieht die Katze") < -1
    assert WORDS.leaning("der Hund") == 0
    assert WORDS.leaning("") == 0
