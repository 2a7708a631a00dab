import numpy as np
import pytest

from service.engine.graphs.attention_pass import PairAttention, attend
from service.engine.search.options import Hypothesis
from tests.service.engine.tiny import BEAM, GREEDY, alone, tiny, tiny_sessions, tiny_sources

Pair = tuple[tuple[int, ...], tuple[int, ...]]

TOLERANCE = 1e-4
"""The same weights and int8 scales, other operators for attention."""
ROUNDING = 0.1
"""What it may cost that an activation between two int8 values is rounded to the other one."""


def greedy_pairs() -> list[Pair]:
    """Sentences with the translation that the model ended by itself."""
    eos = tiny().manifest.special_ids.eos
    found = [(source, alone(source, GREEDY)[0]) for source in tiny_sources()]
    return [(s, (*best.target_ids, eos)) for s, best in found if best.finish_reason == "stop"]


def beam_hypotheses() -> list[tuple[tuple[int, ...], Hypothesis]]:
    """Every source with every hypothesis of its beam."""
    return [(source, found) for source in tiny_sources() for found in alone(source, BEAM)]


def attention_of(pairs: list[Pair]) -> list[PairAttention]:
    sources, targets = zip(*pairs, strict=True)
    return attend(tiny_sessions(), sources, targets)


def assert_same_log_probs(seen: list[PairAttention], searched: list[Hypothesis]) -> None:
    """Compare all tokens that a search has generated: it may have been cut off before the end."""
    errors = np.concatenate(
        [
            np.abs(found.log_probs[: len(hypothesis.token_log_probs)] - hypothesis.token_log_probs)
            for found, hypothesis in zip(seen, searched, strict=True)
        ]
    )
    assert np.mean(errors > TOLERANCE) < 0.02
    assert errors.max() < ROUNDING


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return greedy_pairs()


@pytest.fixture(scope="module")
def together(pairs: list[Pair]) -> list[PairAttention]:
    return attention_of(pairs)


def test_padding_is_cut_off(pairs: list[Pair], together: list[PairAttention]) -> None:
    shape = tiny().manifest.architecture
    heads = shape.num_heads
    assert len({len(source) for source, _ in pairs}) > 5
    for (source, target), found in zip(pairs, together, strict=True):
        s, t = len(source), len(target)
        assert found.encoder.shape == (shape.num_encoder_layers, heads, s, s)
        assert found.decoder.shape == (shape.num_decoder_layers, heads, t, t)
        assert found.cross.shape == (shape.num_decoder_layers, heads, t, s)
        assert found.log_probs.shape == (t,)


def test_every_row_sums_to_one(together: list[PairAttention]) -> None:
    for found in together:
        for kind in (found.encoder, found.decoder, found.cross):
            assert kind.dtype == np.float32
            assert kind.min() >= 0
            np.testing.assert_allclose(kind.sum(axis=-1), 1, atol=1e-5)


def test_no_token_looks_ahead(together: list[PairAttention]) -> None:
    for found in together:
        np.testing.assert_array_equal(found.decoder, np.tril(found.decoder))


def test_log_probs_are_those_of_the_search(
    pairs: list[Pair], together: list[PairAttention]
) -> None:
    searched = [alone(source, GREEDY)[0] for source, _ in pairs]
    assert_same_log_probs(together, searched)


def test_every_hypothesis_of_a_beam_was_scored_on_its_own_tokens() -> None:
    """The cached rows of a beam are copied and moved; a pass over the whole has no cache."""
    eos = tiny().manifest.special_ids.eos
    searched = beam_hypotheses()
    assert len(searched) == BEAM.num_hypotheses * len(tiny_sources())
    seen = attention_of([(source, (*best.target_ids, eos)) for source, best in searched])
    assert_same_log_probs(seen, [found for _, found in searched])


def test_a_pair_is_seen_alike_alone_and_beside_others(
    pairs: list[Pair], together: list[PairAttention]
) -> None:
    for pair, beside in zip(pairs, together, strict=True):
        (found,) = attention_of([pair])
        for kind in ("encoder", "decoder", "cross", "log_probs"):
            np.testing.assert_allclose(getattr(found, kind), getattr(beside, kind), atol=1e-6)


def test_each_row_is_that_of_a_decoder_which_has_seen_no_more(
    pairs: list[Pair], together: list[PairAttention]
) -> None:
    """What a step of the search attends with: the tokens so far, and nothing behind them."""
    for (source, target), whole in list(zip(pairs, together, strict=True))[:8]:
        prefixes = [(source, target[: n + 1]) for n in range(len(target))]
        for n, step in enumerate(attention_of(prefixes)):
            np.testing.assert_allclose(
                step.decoder[:, :, n], whole.decoder[:, :, n, : n + 1], atol=1e-6
            )
            np.testing.assert_allclose(step.cross[:, :, n], whole.cross[:, :, n], atol=1e-6)


def test_a_translation_that_is_wrong_has_a_lower_log_prob(
    pairs: list[Pair], together: list[PairAttention]
) -> None:
    swapped = [(source, pairs[i - 1][1]) for i, (source, _) in enumerate(pairs)]
    for right, wrong in zip(together, attention_of(swapped), strict=True):
        assert right.log_probs.mean() > wrong.log_probs.mean()
