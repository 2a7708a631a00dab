"""The errors of int8, and their limits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from export.calibration.activations import calibrate, noise_ratio
from export.options import CalibrationOptions
from export.quantization import ROW_GRID, Grid, grid_between, quantize_matrix
from export.verification.forced_decoding import forced_logits
from tests.export.networks import KINDS, network, open_graphs, random_ids, random_transformer

FINITE = st.floats(-1e4, 1e4, width=32)
PAIRS = list(zip(random_ids(20, seed=3), random_ids(20, seed=4), strict=True))


@given(arrays(np.float32, (5, 7), elements=FINITE))
def test_no_weight_is_off_by_more_than_half_a_step_of_its_column(
    weights: NDArray[np.float32],
) -> None:
    quantized = quantize_matrix(weights)
    assert quantized.values.shape == (7, 5)
    error = np.abs(quantized.values.T * quantized.scales[:, None] - weights)
    assert (error <= quantized.scales[:, None] * 0.5001 + 1e-12).all()


def test_outputs_have_scales_of_their_own() -> None:
    weights = np.array([[1, 2], [100, 200]], np.float32)
    np.testing.assert_allclose(quantize_matrix(weights).scales, [2 / 127, 200 / 127])


@given(FINITE, FINITE, st.lists(st.floats(0, 1), min_size=1))
def test_a_grid_keeps_zero_and_all_that_it_spans(a: float, b: float, shares: list[float]) -> None:
    lowest, highest = min(a, b), max(a, b)
    grid = grid_between(lowest, highest)
    assert 0 <= grid.zero_point <= 255
    assert grid.rounded(np.zeros(1, np.float32)) == 0
    values = np.array([lowest + (highest - lowest) * s for s in shares], np.float32)
    # The zero point is rounded too: one end may lie half a step outside.
    assert (np.abs(grid.rounded(values) - values) <= grid.scale * 1.001 + 1e-6).all()


def test_values_that_are_never_negative_use_every_step() -> None:
    assert grid_between(0.0, 51.0) == Grid(scale=0.2, zero_point=0)
    assert grid_between(-51.0, 51.0).scale == 0.4


def test_values_beyond_a_grid_are_clipped_to_its_ends() -> None:
    grid = Grid(scale=0.5, zero_point=128)
    beyond = np.array([-1e6, 1e6], np.float32)
    np.testing.assert_array_equal(grid.rounded(beyond), [-64, 63.5])


def test_rows_of_very_different_size_have_scales_per_row() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 32)).astype(np.float32)
    grid = grid_between(float(rows.min()), float(rows.max()))
    assert noise_ratio(rows, grid) < CalibrationOptions().max_noise_ratio
    rows[0] *= 100
    grid = grid_between(float(rows.min()), float(rows.max()))
    assert noise_ratio(rows, grid) > CalibrationOptions().max_noise_ratio


def test_calibration_finds_the_tensor_that_needs_scales_per_row() -> None:
    model = network(random_transformer(norm_position="pre"))
    plan = calibrate(model, PAIRS)
    assert not plan.per_row
    # One source word whose feed-forward explodes: behind ReLU, rows differ without bound.
    direction = model.weights["encoder.layers.0.feed_forward.inner.weight"][0]
    model.weights["source_embedding.weight"][PAIRS[1][0][0]] = 400 * direction
    model.weights["encoder.layers.0.feed_forward.inner.weight"][0] *= 200
    plan = calibrate(model, PAIRS)
    assert "encoder.layers.0.feed_forward.outer" in plan.per_row
    assert "decoder.layers.0.self_attention.inputs" in plan.static


@pytest.mark.parametrize("architecture", KINDS.values(), ids=list(KINDS))
def test_every_tensor_that_a_linear_layer_reads_is_in_the_plan(
    architecture: dict[str, Any],
) -> None:
    model = network(random_transformer(**architecture))
    plan = calibrate(model, PAIRS)
    shape = model.architecture
    expected = 4 * shape.num_encoder_layers + 6 * shape.num_decoder_layers + 2
    assert len(plan.static) + len(plan.per_row) == expected
    assert not plan.static.keys() & plan.per_row


@pytest.mark.parametrize("architecture", KINDS.values(), ids=list(KINDS))
def test_int8_logits_stay_close_and_scales_per_row_are_closer(
    architecture: dict[str, Any], tmp_path: Path
) -> None:
    model = network(random_transformer(**architecture))
    # Activations alone are compared: what an int8 cache costs is the same for both.
    static = replace(calibrate(model, PAIRS), cache=None)
    rows = replace(static, static={}, per_row=frozenset(static.static))
    sources, targets = random_ids(20, seed=5), random_ids(20, seed=6)
    plain, constant, per_row = (
        np.concatenate(forced_logits(open_graphs(model, plan, tmp_path / name), sources, targets))
        for name, plan in (("fp32", None), ("static", static), ("rows", rows))
    )
    spread = plain.std()
    assert 0 < np.abs(per_row - plain).std() < np.abs(constant - plain).std() < 0.1 * spread


def test_the_grid_of_rows_reaches_their_largest_value_on_both_sides() -> None:
    ends = np.array([-1, 0, 1], np.float32)
    np.testing.assert_allclose(ROW_GRID.rounded(ends), ends, rtol=1e-6)
