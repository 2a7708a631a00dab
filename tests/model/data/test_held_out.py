from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from model.data.corpus import SentencePair, read_pairs
from model.data.held_out import (
    HELD_OUT_NAME,
    choose_held_out,
    without_texts_of,
    words_alone,
    write_pairs,
)

PAIRS = [
    SentencePair(f"{origin} source {i}", f"{origin} target {i}", origin)
    for i in range(40)
    for origin in ("news", "help")
]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 5))
def test_each_source_gives_as_many_as_it_is_asked_for(news: int, other: int, seed: int) -> None:
    chosen = choose_held_out(PAIRS, {"news": news, "help": other}, seed=seed)
    assert [p.origin for p in chosen] == ["news"] * news + ["help"] * other
    assert len(set(chosen)) == len(chosen)


def test_a_small_source_keeps_half_for_training() -> None:
    assert len(choose_held_out(PAIRS, {"news": 300}, seed=1)) == 20


def test_the_choice_depends_on_the_seed_and_not_on_other_sources() -> None:
    chosen = choose_held_out(PAIRS, {"news": 10}, seed=1)
    assert chosen == choose_held_out(PAIRS, {"help": 5, "news": 10}, seed=1)[5:]
    assert chosen == choose_held_out([p for p in PAIRS if p.origin == "news"], {"news": 10}, seed=1)
    assert chosen != choose_held_out(PAIRS, {"news": 10}, seed=2)


@given(st.sets(st.sampled_from(PAIRS)))
def test_nothing_that_is_held_out_is_trained_on(held_out: set[SentencePair]) -> None:
    kept = without_texts_of(PAIRS, held_out)
    assert kept == [p for p in PAIRS if p not in held_out]


def test_a_pair_that_shares_one_side_goes_whatever_its_case_and_spaces() -> None:
    held_out = [SentencePair("The dog.", "Der Hund.")]
    other = SentencePair("A cat.", "Eine Katze.")
    pairs = [SentencePair("the  dog.", "Ein Hund."), SentencePair("A dog.", "DER HUND."), other]
    assert without_texts_of(pairs, held_out) == [other]


def test_a_text_may_differ_in_punctuation_too() -> None:
    held_out = [SentencePair("Well, the dog!", "Na, der Hund!"), SentencePair("...", "…")]
    marks = SentencePair("?!", "!?")
    pairs = [SentencePair("Well the dog", "Der Hund"), SentencePair("So", "na der Hund"), marks]
    assert without_texts_of(pairs, held_out) == pairs
    assert without_texts_of(pairs, held_out, key=words_alone) == [marks]


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    write_pairs(tmp_path / HELD_OUT_NAME, PAIRS)
    assert read_pairs(HELD_OUT_NAME, tmp_path)[0] == PAIRS
