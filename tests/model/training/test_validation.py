from dataclasses import replace

import pytest

from model.data.batching import encode_sources
from model.data.corpus import SentencePair
from model.training.validation import ValidationScores, mean_scores, translate_sources, validate
from tests.data.toy_language import sentence_pairs
from tests.model.networks import ARCHITECTURE, random_network
from tests.model.runs import NUM_PIECES, toy_tokenizer

NETWORK = random_network(replace(ARCHITECTURE, vocab_size=NUM_PIECES, max_positions=64))
PAIRS = [SentencePair(*pair) for pair in sentence_pairs(60, seed=3)]


def translations(pairs: list[SentencePair]) -> list[str]:
    sources = encode_sources(pairs, toy_tokenizer())
    return translate_sources(NETWORK, toy_tokenizer(), sources, max_tokens=12)


def test_translations_come_back_in_order_whatever_the_batches() -> None:
    together = translations(PAIRS)
    alone = [translations([pair])[0] for pair in PAIRS[:10]]
    assert together[:10] == alone
    assert len(set(together)) > 1


def test_its_own_translations_score_full_marks() -> None:
    own = translations(PAIRS[:8])
    pairs = [SentencePair(p.source, t) for p, t in zip(PAIRS[:8], own, strict=True)]
    scores = validate(NETWORK, toy_tokenizer(), pairs, max_tokens=12)
    assert scores.bleu == pytest.approx(100)
    assert scores.chrf == pytest.approx(100)
    others = validate(NETWORK, toy_tokenizer(), PAIRS[:8], max_tokens=12)
    assert others.chrf < 50
    assert others.samples[0][0] == PAIRS[0].source


def test_the_language_that_is_asked_for_changes_the_translation() -> None:
    asked = [replace(pair, prefix=">>de<<") for pair in PAIRS]
    assert translations(asked) != translations(PAIRS)


def test_every_set_counts_alike_in_the_mean() -> None:
    scores = [
        ValidationScores(loss=1.0, bleu=10.0, chrf=30.0, samples=(("a", "b", "c"),)),
        ValidationScores(loss=2.0, bleu=20.0, chrf=50.0, samples=()),
    ]
    mean = mean_scores(scores)
    assert (mean.loss, mean.bleu, mean.chrf) == (1.5, 15.0, 40.0)
    assert mean.samples == (("a", "b", "c"),)
