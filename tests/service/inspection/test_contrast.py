from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.inspection import AttentionKind
from service.inspection.contrast import contrast_of, map_difference
from service.inspection.values import AttentionMaps, Contributions
from service.text.alignment.differences import from_first_difference

SOURCES = ("a", "b", "</s>")
OWN = ("an", "der", "Bank", "vorbei", "</s>")
OTHER = ("an", "dem", "Ufer", "entlang", "vorbei", "</s>")


def weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).random(shape, dtype=np.float32)


def maps_of(tokens: tuple[str, ...]) -> AttentionMaps:
    count = len(tokens)
    return AttentionMaps(
        source_tokens=SOURCES,
        target_tokens=tokens,
        maps={
            "encoder": weights(2, 3, 3, 3),
            "decoder": weights(2, 3, count, count),
            "cross": weights(2, 3, count, 3),
        },
        alignment=weights(count, 3),
        token_log_probs=tuple(-float(i + 1) / count for i in range(count)),
    )


def at(values: NDArray[np.float32], query: int | None, key: int | None) -> NDArray[np.float32]:
    """The weights of a cell in all layers and heads; zeros where there is no such token."""
    if query is None or key is None:
        return np.zeros(values.shape[:2], dtype=np.float32)
    return np.asarray(values[:, :, query, key])


@pytest.mark.parametrize("kind", ["cross", "decoder"])
def test_every_cell_is_one_weight_minus_another(kind: AttentionKind) -> None:
    own, other = maps_of(OWN).maps[kind], maps_of(OTHER).maps[kind]
    steps = from_first_difference(OWN, OTHER)
    found = map_difference(kind, own, other, steps)
    keys = [(step.first, step.second) for step in steps]
    if kind == "cross":
        keys = [(key, key) for key in range(len(SOURCES))]
    for i, step in enumerate(steps):
        for j, (first, second) in enumerate(keys):
            expected = at(own, step.first, first) - at(other, step.second, second)
            np.testing.assert_array_equal(found[:, :, i, j], expected)


def test_score_differences_sum_to_that_of_the_translations() -> None:
    own, other = maps_of(OWN), maps_of(OTHER)
    contrast = contrast_of(own, other, "an dem Ufer entlang vorbei")
    assert contrast.first_difference == 1
    assert contrast.score_difference == pytest.approx(
        sum(own.token_log_probs) - sum(other.token_log_probs)
    )
    # "entlang" stands beside nothing: its whole log-probability is the difference.
    assert contrast.score_differences[3] == pytest.approx(-other.token_log_probs[3])


def test_the_encoder_has_no_difference() -> None:
    assert set(contrast_of(maps_of(OWN), maps_of(OTHER), "").maps) == {"cross", "decoder"}


def test_a_translation_has_no_contrast_to_itself() -> None:
    contrast = contrast_of(maps_of(OWN), maps_of(OWN), "")
    assert contrast.first_difference is None
    assert not any(contrast.score_differences)
    assert not any(values.any() for values in contrast.maps.values())


def test_contributions_are_subtracted_token_by_token() -> None:
    own, other = (
        replace(maps_of(tokens), contributions=shares_of(tokens)) for tokens in (OWN, OTHER)
    )
    steps = from_first_difference(OWN, OTHER)
    found = contrast_of(own, other, "").contributions
    assert found is not None and own.contributions and other.contributions
    for i, step in enumerate(steps):
        for key in range(len(SOURCES)):
            expected = share(own.contributions.source, step.first, key)
            expected -= share(other.contributions.source, step.second, key)
            assert found.source[i, key] == pytest.approx(expected)
        starts = share(own.contributions.target, step.first, 0)
        starts -= share(other.contributions.target, step.second, 0)
        assert found.target[i, 0] == pytest.approx(starts)
        for j, before in enumerate(steps):
            # The column behind that of a token is the one of which it is the input.
            first = None if before.first is None else before.first + 1
            second = None if before.second is None else before.second + 1
            expected = share(own.contributions.target, step.first, first)
            expected -= share(other.contributions.target, step.second, second)
            assert found.target[i, 1 + j] == pytest.approx(expected)


def shares_of(tokens: tuple[str, ...]) -> Contributions:
    count = len(tokens)
    return Contributions(
        method="occlusion",
        source=weights(count, 3),
        target=np.tril(weights(count, count)),
        prefix_tokens=("<s>", *tokens[:-1]),
    )


def share(values: NDArray[np.float32], query: int | None, key: int | None) -> float:
    if query is None or key is None or key >= values.shape[1]:
        return 0.0
    return float(values[query, key])
