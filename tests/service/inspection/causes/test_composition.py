"""Shares of layers, multiplied: against paths counted one by one, and what sums to 1."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from service.inspection.causes.composition import as_shares, compose
from service.inspection.causes.methods import MAX_PASS_TOKENS, passes_of
from service.inspection.causes.occlusion import occlusion
from service.inspection.causes.rollout import rollout

Float32 = NDArray[np.float32]


def _layers(seed: int, num_source: int, num_target: int) -> tuple[Float32, Float32, Float32]:
    """Two layers of each side, whose rows sum to 1."""
    random = np.random.default_rng(seed)
    encoder = random.random((2, num_source, num_source), np.float32)
    own = np.tril(random.random((2, num_target, num_target), np.float32))
    other = random.random((2, num_target, num_source), np.float32)
    encoder /= encoder.sum(axis=-1, keepdims=True)
    total = own.sum(axis=-1, keepdims=True) + other.sum(axis=-1, keepdims=True)
    return encoder, own / total, other / total


def test_shares_are_sums_over_all_paths() -> None:
    encoder, own, other = _layers(0, 3, 2)
    source, target = compose(encoder, own, other)
    for row, token in product(range(2), range(3)):
        read = encoder[1] @ encoder[0]
        late = sum(other[1, row, k] * read[k, token] for k in range(3))
        early = sum(
            own[1, row, i] * other[0, i, k] * read[k, token] for i in range(2) for k in range(3)
        )
        assert source[row, token] == pytest.approx(late + early, abs=1e-6)
    for row, place in product(range(2), range(2)):
        paths = sum(own[1, row, i] * own[0, i, place] for i in range(2))
        assert target[row, place] == pytest.approx(paths, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_both_sum_to_one(seed: int) -> None:
    source, target = compose(*_layers(seed, 7, 5))
    np.testing.assert_allclose(source.sum(axis=1) + target.sum(axis=1), 1, atol=1e-6)
    assert not np.triu(target, k=1).any()


def test_a_row_without_causes_is_its_own() -> None:
    source, target = as_shares(np.zeros((2, 3), np.float32), np.zeros((2, 2), np.float32))
    assert not source.any()
    np.testing.assert_array_equal(target, np.eye(2))


def test_rollout_of_one_layer_by_hand() -> None:
    """Half of a layer's output is residual: a quarter of each token is itself."""
    one = np.ones((1, 1, 1, 1), np.float32)
    own = np.array([[[[1, 0], [0.5, 0.5]]]], np.float32)
    cross = np.ones((1, 1, 2, 1), np.float32)
    source, target = rollout({"encoder": one, "decoder": own, "cross": cross})
    np.testing.assert_allclose(source, [[0.5], [0.5]])
    np.testing.assert_allclose(target, [[0.5, 0], [0.125, 0.375]])


def test_occlusion_counts_rises_and_falls_and_no_later_token() -> None:
    whole = np.array([-1, -1], np.float32)
    without = np.array([[-2, -1], [0, -4], [-1.5, -1], [-9, -2]], np.float32)
    source, target = occlusion(whole, without, num_source=2)
    np.testing.assert_allclose(source, [[1 / 2.5, 1 / 2.5], [0, 3 / 4]])
    np.testing.assert_allclose(target, [[0.5 / 2.5, 0], [0, 1 / 4]])


@pytest.mark.parametrize("method", ["value_zeroing", "occlusion"])
@pytest.mark.parametrize("lengths", [(1, 1), (7, 5), (40, 60), (200, 150)])
def test_passes_take_away_every_token_once(method: str, lengths: tuple[int, int]) -> None:
    first, *others = passes_of(method, lengths)  # type: ignore[arg-type]
    assert (first.alignment, first.log_probs, first.cause) == (True, True, None)
    places = [place for each in others for place in range(*each.places)]
    assert places == list(range(sum(lengths)))
    for each in others:
        rows = 1 + each.places[1] - each.places[0]
        assert rows == 2 or rows * sum(lengths) <= MAX_PASS_TOKENS
