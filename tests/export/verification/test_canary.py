"""The canary is a translation with the largest margin to other roundings."""

from pathlib import Path

import numpy as np
import pytest

from export.sentences.development_set import DevelopmentSet, encode_pairs
from export.verification.canary import CANDIDATES, choose_canary
from export.verification.forced_decoding import forced_logits
from model.data.corpus import SentencePair
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.data.toy_language import sentence_pairs
from tests.export.networks import MAX_TOKENS, PAIR, network, open_graphs, random_transformer
from tests.export.runs import VOCAB_SIZE


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    model = random_transformer(vocab_size=VOCAB_SIZE)
    return open_graphs(network(model), None, tmp_path / "graphs")


def _development_set(sessions: Sessions) -> DevelopmentSet:
    pairs = [SentencePair(*texts) for texts in sentence_pairs(2 * CANDIDATES, seed=3)]
    encoded = encode_pairs(
        pairs, sessions.bundle.tokenizer, PAIR, max_source=MAX_TOKENS, max_target=MAX_TOKENS
    )
    return DevelopmentSet(name="toy", pair=PAIR, pairs=tuple(encoded))


def _margin(sessions: Sessions, source_ids: tuple[int, ...], target_ids: tuple[int, ...]) -> float:
    logits = forced_logits(sessions, [source_ids], [[*target_ids, 3][:MAX_TOKENS]])[0]
    ordered = np.sort(logits, axis=1)
    return float((ordered[:, -1] - ordered[:, -2]).min())


def test_the_translation_with_the_largest_margin_is_chosen(sessions: Sessions) -> None:
    dev = _development_set(sessions)
    canary = choose_canary(sessions, dev)
    options = DecodeOptions(max_target_tokens=MAX_TOKENS)
    candidates = dev.pairs[:CANDIDATES]
    results = decode_batch(sessions, [p.source_ids for p in candidates], options)
    margins = {
        pair.source: _margin(sessions, pair.source_ids, hypotheses[0].target_ids)
        for pair, hypotheses in zip(candidates, results, strict=True)
    }
    assert max(margins, key=margins.__getitem__) == canary.source_text
    assert margins[canary.source_text] > margins[candidates[0].source]


def test_one_sentence_is_enough(sessions: Sessions) -> None:
    whole = _development_set(sessions)
    dev = DevelopmentSet(name="toy", pair=PAIR, pairs=whole.pairs[:1])
    assert choose_canary(sessions, dev).source_text == whole.pairs[0].source
