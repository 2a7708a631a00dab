"""Which senses of a dictionary are learned."""

from model.data.corpus import SentencePair
from model.synthesis.dictionary import MIN_SHARED, capitalised, usual_senses

ENTRIES = [
    SentencePair("bank", "Bank", "ding"),
    SentencePair("bank", "Ufer", "ding"),
    SentencePair("bank", "Strosse", "ding"),
    SentencePair("bench", "Bank", "ding"),
    SentencePair("to rule", "regieren", "ding"),
    SentencePair("rule of law", "Rechtsstaat", "ding"),
]
TEXT = [
    *[SentencePair("The bank is closed.", "Die Bank ist zu.")] * 6,
    *[SentencePair("He sat on the bank.", "Er saß am Ufer.")] * 2,
    *[SentencePair("He sat on the bench.", "Er saß auf der Bank.")] * 4,
    *[SentencePair("They rule.", "Sie regieren.")] * MIN_SHARED,
]


def test_the_senses_of_running_text_are_kept_in_order() -> None:
    found = usual_senses(ENTRIES, TEXT)
    assert [(p.source, p.target) for p in found] == [
        ("bank", "Bank"),
        ("bench", "Bank"),
        ("to rule", "regieren"),
    ]
    assert {p.origin for p in found} == {"dictionary"}


def test_what_the_text_says_too_seldom_is_left_out() -> None:
    assert usual_senses(ENTRIES, TEXT[:-1])[-1].source != "to rule"
    assert usual_senses(ENTRIES, []) == []


def test_capitals_are_a_second_form_of_what_has_none() -> None:
    pairs = [SentencePair("to rule", "regieren"), SentencePair("Bank", "Bank")]
    assert capitalised(pairs) == [SentencePair("To rule", "Regieren")]
