import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import AugmentationConfig
from model.data.augmentation import (
    augmented,
    badly_spaced,
    differently_quoted,
    fragment,
    in_capitals,
    in_lower_case,
    unfinished,
    with_placeholders,
)
from model.data.corpus import SentencePair
from model.data.tokenizer import PLACEHOLDERS
from tests.data.toy_language import sentence_pairs

PAIRS = [
    SentencePair(f"{source[:-1]}, Tom.", f"{target[:-1]}, Tom.", ("news", "help")[i % 2], ">>de<<")
    for i, (source, target) in enumerate(sentence_pairs(100, seed=2))
]
FIXED = st.sampled_from(
    [
        "7",
        "1,234.5",
        "Tom",
        "Mary-Jane",
        "%s",
        "{name}",
        "<b>",
        "https://example.org/a?b=c",
        "a@b.de",
    ]
)


@given(st.lists(FIXED, min_size=1, max_size=6, unique=True), st.integers(0, 99))
def test_placeholders_can_be_put_back(fixed: list[str], seed: int) -> None:
    source, target = " sees ".join(fixed), " und ".join(reversed(fixed))
    pair = SentencePair(source, target, "news", ">>de<<")
    masked = with_placeholders(pair, random.Random(seed))
    assert masked is not None
    used = [piece for piece in PLACEHOLDERS if piece in masked.source]
    assert 1 <= len(used) <= 4
    assert used == [piece for piece in PLACEHOLDERS if piece in masked.target]
    assert all(masked.source.count(p) == masked.target.count(p) == 1 for p in used)
    assert (masked.origin, masked.prefix) == ("news", ">>de<<")
    for piece in used:
        at = masked.source.split(" sees ").index(piece)
        assert masked.target.split(" und ")[-1 - at] == piece


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("The dog sleeps.", "Der Hund schläft."),
        ("Tom and Tom", "Tom und Tom"),
        ("Tom's 17", "Toms 170"),
        ("It is 3.5", "Es ist 3,5"),
        ("no name", "kein Name"),
    ],
)
def test_only_what_both_sides_have_exactly_once_is_replaced(source: str, target: str) -> None:
    for seed in range(5):
        assert with_placeholders(SentencePair(source, target), random.Random(seed)) is None


def test_every_placeholder_is_used() -> None:
    pair = SentencePair("Tom has 2 cats", "Tom hat 2 Katzen")
    variants = [with_placeholders(pair, random.Random(seed)) for seed in range(100)]
    texts = " ".join(variant.source for variant in variants if variant)
    assert all(piece in texts for piece in PLACEHOLDERS)


def test_tags_may_touch_words() -> None:
    pair = SentencePair("a <b>red</b> house", "ein <b>rotes</b> Haus")
    masked = {with_placeholders(pair, random.Random(seed)) for seed in range(50)}
    assert any(m and "<" not in m.source and "<" not in m.target for m in masked)


def test_each_variant_changes_what_it_says() -> None:
    pair, source = SentencePair("Is it big, Tom?", "Ist es groß, Tom?"), random.Random(1)
    assert in_capitals(pair, source) == SentencePair("IS IT BIG, TOM?", "IST ES GROSS, TOM?")
    assert in_lower_case(pair, source) == SentencePair("is it big, tom?", pair.target)
    assert unfinished(pair, source) == SentencePair("Is it big, Tom", "Ist es groß, Tom")
    noisy = {badly_spaced(pair, random.Random(seed)) for seed in range(20)}
    assert noisy == {
        SentencePair("Is it big ,Tom?".replace(" ,T", " , T"), pair.target),
        SentencePair("Is it big,Tom?", pair.target),
        SentencePair("Is it big, Tom ?", pair.target),
    }


@pytest.mark.parametrize("text", ["no mark", "...", "!"])
def test_what_cannot_be_changed_gives_no_variant(text: str) -> None:
    assert unfinished(SentencePair(text, text), random.Random(1)) is None
    assert badly_spaced(SentencePair(text, text), random.Random(1)) is None


def test_a_fragment_is_a_clause_and_its_translation() -> None:
    pair = SentencePair(
        "If it rains, stay here; I will go.", "Wenn es regnet, bleib hier; ich gehe."
    )
    assert {fragment(pair, random.Random(seed)) for seed in range(30)} == {
        SentencePair("If it rains", "Wenn es regnet"),
        SentencePair("stay here", "bleib hier"),
        SentencePair("I will go.", "ich gehe."),
    }


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("No clauses here.", "Hier sind keine."),
        ("I know that he left.", "Ich weiß, dass er weg ist."),  # cut on one side only
        ("Wait: he left, I think.", "Warte, er ist weg: wohl."),  # cut by other marks
        ("Yes, that is what we had hoped.", "Das hatten wir alle gehofft, ja."),  # changed places
        ("Tom, Mary", "Tom, Mary"),  # nothing to learn
        ("It costs 3,500.", "Es kostet 3,500."),  # no clauses: a number
    ],
)
def test_what_is_not_cut_alike_gives_no_fragment(source: str, target: str) -> None:
    for seed in range(10):
        assert fragment(SentencePair(source, target), random.Random(seed)) is None


def test_joined_sentences_are_of_one_source_and_in_one_order() -> None:
    joined = augmented(PAIRS, AugmentationConfig(joined=1.0), seed="1")
    assert len(joined) == len(PAIRS)
    for variant in joined:
        parts = variant.source.split(". ")
        assert len(parts) in (2, 3)
        found = [p for part in parts for p in PAIRS if p.source.rstrip(".") == part.rstrip(".")]
        assert [p.origin for p in found] == [variant.origin] * len(parts)
        assert variant.target == " ".join(p.target for p in found)
        assert variant.prefix == ">>de<<"


@pytest.mark.parametrize("name", sorted(AugmentationConfig.model_fields))
def test_a_share_is_a_share_of_the_pairs_and_zero_is_none(name: str) -> None:
    pairs = [replace(p, source=f'"{p.source}"') for p in PAIRS] if name == "quotes" else PAIRS
    whole = len(augmented(pairs, AugmentationConfig(**{name: 1.0}), seed="1"))
    some = len(augmented(pairs, AugmentationConfig(**{name: 0.3}), seed="1"))
    assert augmented(pairs, AugmentationConfig(), seed="1") == []
    assert whole >= 40
    assert 0.15 * whole <= some <= 0.45 * whole


def test_the_seed_decides_everything() -> None:
    config = AugmentationConfig(capitals=0.2, spacing=0.5, joined=0.3)
    variants = augmented(PAIRS, config, seed="1 en-de")
    assert variants == augmented(PAIRS, config, seed="1 en-de")
    assert variants != augmented(PAIRS, config, seed="2 en-de")


@given(st.integers(0, 99))
def test_quotation_marks_change_in_the_source_alone(seed: int) -> None:
    pair = SentencePair('He said "no" and "never".', "Er sagte „nein“ und „nie“.", "news")
    changed = differently_quoted(pair, random.Random(seed))
    assert changed is not None
    assert changed.target == pair.target
    assert changed.source != pair.source
    marks = changed.source[8], changed.source[11]
    assert marks in {("“", "”"), ("„", "“"), ("»", "«"), ("«", "»")}
    assert changed.source == f"He said {marks[0]}no{marks[1]} and {marks[0]}never{marks[1]}."


def test_what_is_not_quoted_has_another_apostrophe_or_no_variant() -> None:
    rng = random.Random(1)
    pair = SentencePair("It's Tom's.", "Das ist Toms.")
    changed = differently_quoted(pair, rng)
    assert changed == SentencePair("It\u2019s Tom\u2019s.", "Das ist Toms.")
    assert differently_quoted(SentencePair("A dog.", "Ein Hund."), rng) is None
