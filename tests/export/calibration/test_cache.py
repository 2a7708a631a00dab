"""The int8 cache equals the float32 cache up to half a step of every channel."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.calibration.activations import calibrate
from export.calibration.cache import SMALLEST_SCALE
from export.quantization import LARGEST_INT8, LayerCacheScales
from export.verification.forced_decoding import forced_logits
from service.engine.cache.slot_cache import CacheArray, SlotCache
from service.engine.graphs.decoder import DecoderStep
from service.engine.graphs.encoder import encode
from service.engine.graphs.sessions import Sessions
from tests.export.networks import KINDS, network, open_graphs, random_ids, random_transformer

SOURCES, TARGETS = random_ids(20, seed=3), random_ids(20, seed=4)
PAIRS = list(zip(SOURCES, TARGETS, strict=True))
Held = list[CacheArray]
"""Keys and values of layer 0, of layer 1, ..., [tokens, heads * head_dim] each."""


def held_by_the_caches(sessions: Sessions) -> tuple[Held, Held]:
    """What self-attention and cross-attention have cached when every target was decoded."""
    past, cross = zip(*(_held(sessions, *pair) for pair in PAIRS), strict=True)
    return _joined(past), _joined(cross)


def _held(sessions: Sessions, source: list[int], target: list[int]) -> tuple[Held, Held]:
    cache = SlotCache(sessions.bundle.manifest, 1)
    step = DecoderStep(sessions, cache)
    (group,) = encode(sessions, [source])
    cache.add_row([values[0] for values in group.cross], len(source))
    for token in [sessions.bundle.manifest.special_ids.bos, *target[:-1]]:
        step.input_ids[0] = token
        step.run()
    past = [_by_token(buffer[0, :, : len(target)]) for buffer in cache.past]
    return past, [_by_token(buffer[0, :, : len(source)]) for buffer in cache.cross]


def _joined(sentences: Sequence[Held]) -> Held:
    return [np.concatenate(held) for held in zip(*sentences, strict=True)]


def _by_token(values: CacheArray) -> CacheArray:
    """[heads, tokens, head_dim] -> [tokens, heads * head_dim]."""
    return values.swapaxes(0, 1).reshape(values.shape[1], -1)


def _noise(differences: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(differences))))


def self_scales(layers: tuple[LayerCacheScales, ...]) -> list[NDArray[np.float32]]:
    return [scales for layer in layers for scales in (layer.self_key, layer.self_value)]


def cross_scales(layers: tuple[LayerCacheScales, ...]) -> list[NDArray[np.float32]]:
    return [scales for layer in layers for scales in (layer.cross_key, layer.cross_value)]


@pytest.mark.parametrize("architecture", KINDS.values(), ids=list(KINDS))
def test_scales_are_those_of_the_largest_value_that_a_channel_has_cached(
    architecture: dict[str, Any], tmp_path: Path
) -> None:
    model = network(random_transformer(**architecture))
    found = calibrate(model, PAIRS).cache
    assert found is not None
    past, cross = held_by_the_caches(open_graphs(model, None, tmp_path / "graphs"))
    scales = [*self_scales(found.layers), *cross_scales(found.layers)]
    for values, channels in zip([*past, *cross], scales, strict=True):
        assert channels.dtype == np.float32
        np.testing.assert_allclose(channels, np.abs(values).max(axis=0) / LARGEST_INT8, rtol=1e-4)


@pytest.mark.parametrize("architecture", KINDS.values(), ids=list(KINDS))
def test_no_cached_value_is_off_by_more_than_half_a_step_of_its_channel(
    architecture: dict[str, Any], tmp_path: Path
) -> None:
    model = network(random_transformer(**architecture))
    plan = calibrate(model, PAIRS)
    assert plan.cache is not None
    exact = held_by_the_caches(open_graphs(model, replace(plan, cache=None), tmp_path / "exact"))
    rounded = held_by_the_caches(open_graphs(model, plan, tmp_path / "rounded"))
    # The first layer's keys come from embeddings, and the source's from the encoder: nothing
    # before them has been rounded in only one of the two.
    pairs = [
        *zip(exact[0][:2], rounded[0][:2], self_scales(plan.cache.layers)[:2], strict=True),
        *zip(exact[1], rounded[1], cross_scales(plan.cache.layers), strict=True),
    ]
    for values, held, scales in pairs:
        assert held.dtype == np.int8
        # Other layers are int8 too, and so a value may lie a little beyond what was calibrated.
        within = np.clip(values, -128 * scales, LARGEST_INT8 * scales)
        assert (np.abs(held * scales - within) <= 0.501 * scales).all()
        assert np.mean(values != within) < 0.05


@pytest.mark.parametrize("architecture", KINDS.values(), ids=list(KINDS))
def test_an_int8_cache_adds_little_to_what_int8_costs(
    architecture: dict[str, Any], tmp_path: Path
) -> None:
    model = network(random_transformer(**architecture))
    plan = calibrate(model, PAIRS)
    plain, exact, rounded = (
        np.concatenate(forced_logits(open_graphs(model, plan, tmp_path / name), SOURCES, TARGETS))
        for name, plan in (("fp32", None), ("exact", replace(plan, cache=None)), ("int8", plan))
    )
    assert 0 < _noise(rounded - exact) < _noise(exact - plain)
    assert _noise(rounded - plain) < 1.1 * _noise(exact - plain)


@pytest.mark.parametrize("part", ["self_attention", "cross_attention"])
def test_a_channel_of_zeros_has_a_scale(part: str, tmp_path: Path) -> None:
    model = network(random_transformer())
    for name in (f"decoder.layers.1.{part}.{kind}" for kind in ("key", "value")):
        model.weights[f"{name}.weight"][5] = 0
        model.weights[f"{name}.bias"][5] = 0
    plan = calibrate(model, PAIRS)
    assert plan.cache is not None
    scales = (self_scales if part == "self_attention" else cross_scales)(plan.cache.layers)
    assert [channels[5] for channels in scales[2:]] == [np.float32(SMALLEST_SCALE)] * 2
    assert all((np.delete(channels, 5) > SMALLEST_SCALE).all() for channels in scales)
    logits = forced_logits(open_graphs(model, plan, tmp_path / "graphs"), SOURCES, TARGETS)
    assert all(np.isfinite(steps).all() for steps in logits)
