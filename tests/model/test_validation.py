from dataclasses import replace

import pytest

from model.corpus import SentencePair
from model.validation import translate_texts, validate
from tests.data.toy_language import sentence_pairs
from tests.model.networks import ARCHITECTURE, random_network
from tests.model.runs import NUM_PIECES, toy_tokenizer

NETWORK = random_network(replace(ARCHITECTURE, vocab_size=NUM_PIECES, max_positions=64))
PAIRS = [SentencePair(*pair) for pair in sentence_pairs(60, seed=3)]


def test_translations_come_back_in_order_whatever_the_batches() -> None:
    texts = [pair.source for pair in PAIRS]
    together = translate_texts(NETWORK, toy_tokenizer(), texts, max_tokens=12)
    alone = [translate_texts(NETWORK, toy_tokenizer(), [t], max_tokens=12)[0] for t in texts[:10]]
    assert together[:10] == alone
    assert len(set(together)) > 1


def test_its_own_translations_score_full_marks() -> None:
    texts = [pair.source for pair in PAIRS[:8]]
    translations = translate_texts(NETWORK, toy_tokenizer(), texts, max_tokens=12)
    pairs = [SentencePair(a, b) for a, b in zip(texts, translations, strict=True)]
    scores = validate(NETWORK, toy_tokenizer(), pairs, max_tokens=12)
    assert scores.bleu == pytest.approx(100)
    assert scores.chrf == pytest.approx(100)
    others = validate(NETWORK, toy_tokenizer(), PAIRS[:8], max_tokens=12)
    assert others.chrf < 50
    assert others.samples[0][0] == PAIRS[0].source
