"""Causes by the exported graphs are those of an independent implementation in torch."""

import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.reader import Bundle, read_bundle
from bundle.tensors import ALTI_NAME, INSPECTION_NAMES, VALUE_ZEROING_NAME
from export.calibration.activations import calibrate
from export.network import network_of
from export.recovery.network import network_of_bundle
from export.renewal import renew
from model.transformer import Transformer
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.cause_passes import zeroed_distances
from service.engine.graphs.sessions import Sessions
from service.engine.inspection import AttendRequest, run_pass
from service.inspection.causes.methods import passes_of, shares_of
from service.inspection.values import Method
from tests.export.graphs.inspection.torch_causes import TorchCauses
from tests.export.networks import (
    ALL_KINDS,
    network,
    open_graphs,
    random_ids,
    random_transformer,
)
from tests.service.engine.tiny import tiny, tiny_sources

EN_DE = Path(__file__).parents[4] / "bundles" / "en-de"
BY_GRAPH: tuple[Method, ...] = ("rollout", "value_zeroing", "alti")
EVERY: tuple[Method, ...] = (*BY_GRAPH, "occlusion")
Pair = tuple[tuple[int, ...], tuple[int, ...]]
Float32 = NDArray[np.float32]


def pairs(sentences: Sequence[Sequence[int]]) -> list[Pair]:
    """Each sentence with the next one as its translation."""
    return [(tuple(a), tuple(b)) for a, b in pairwise(sentences)]


RANDOM = pairs([[5, 7, 3], *random_ids(5, seed=1)[2:], [9, 9, 4, 3]])


def causes(sessions: Sessions, method: Method, pair: Pair) -> tuple[Float32, Float32]:
    """As the inspector joins them, without a server."""
    lengths = len(pair[0]), len(pair[1])
    outputs = [
        run_pass(sessions, AttendRequest(handle=0, pairs=(pair,), wanted=wanted)).pairs[0]
        for wanted in passes_of(method, lengths)
    ]
    return shares_of(method, outputs, lengths)


def assert_as_in_torch(sessions: Sessions, model: Transformer, given: Sequence[Pair]) -> None:
    for pair in given:
        reference = TorchCauses(model, *pair)
        for method in BY_GRAPH:
            source, target = causes(sessions, method, pair)
            expected_source, expected_target = getattr(reference, method)()
            np.testing.assert_allclose(source, expected_source, atol=1e-4, err_msg=method)
            np.testing.assert_allclose(target, expected_target, atol=1e-4, err_msg=method)


@pytest.mark.parametrize("kind", ALL_KINDS.values(), ids=list(ALL_KINDS))
def test_random_networks(kind: dict[str, Any], tmp_path: Path) -> None:
    model = random_transformer(**kind)
    sessions = open_graphs(network(model), None, tmp_path / "graphs")
    assert_as_in_torch(sessions, model, RANDOM)


@pytest.mark.parametrize("folder", [tiny().path, EN_DE], ids=["tiny", "en-de"])
def test_trained_networks(folder: Path, tmp_path: Path) -> None:
    """The networks of bundles, their weights dequantised: peaked attention, norms that matter."""
    bundle = read_bundle(folder)
    model = network_of_bundle(bundle)
    limits = {"max_source": 24, "max_target": 24}
    sessions = open_graphs(network_of(model, **limits), None, tmp_path / "graphs")
    assert_as_in_torch(sessions, model, trained_pairs(bundle))


def trained_pairs(bundle: Bundle) -> list[Pair]:
    if bundle.path == tiny().path:
        return pairs(tiny_sources(4))
    texts = [
        ("Where is the station?", "Wo ist der Bahnhof?"),
        ("The weather is nice today.", "Das Wetter ist heute schön."),
        ("Hello", "Die Suppe wird kalt."),
    ]
    encode, pair = bundle.tokenizer.encode_source, bundle.manifest.pairs[0]
    target = bundle.tokenizer.encode_target
    return [(tuple(encode(a, pair)), tuple(target(b))) for a, b in texts]


@pytest.fixture(scope="module", params=["fp32", "int8"])
def sessions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    model = network(random_transformer())
    given = list(zip(random_ids(20, seed=3), random_ids(20, seed=4), strict=True))
    plan = calibrate(model, given) if request.param == "int8" else None
    return open_graphs(model, plan, tmp_path_factory.mktemp("causes") / "graphs")


@pytest.mark.parametrize("method", EVERY)
def test_rows_sum_to_one_and_see_no_later_token(sessions: Sessions, method: Method) -> None:
    for pair in RANDOM:
        source, target = causes(sessions, method, pair)
        assert source.min() >= 0 and target.min() >= 0
        np.testing.assert_allclose(source.sum(axis=1) + target.sum(axis=1), 1, atol=1e-5)
        assert not np.triu(target, k=1).any()


def test_the_served_arithmetic_is_explained(sessions: Sessions) -> None:
    """The graphs compute what the attention graph computes, to the bit, int8 included."""
    for source, target in RANDOM:
        (maps,) = attend(sessions, [source], [target])
        special = sessions.bundle.manifest.special_ids
        feeds = {
            "source_ids": np.array([source]),
            "source_lengths": np.array([len(source)], np.int32),
            "target_ids": np.array([[special.bos, *target[:-1]]]),
            "target_lengths": np.array([len(target)], np.int32),
        }
        names = ["encoder_attention", "decoder_attention", "cross_attention"]
        found = sessions.alti.run(names, feeds)
        for expected, values in zip((maps.encoder, maps.decoder, maps.cross), found, strict=True):
            np.testing.assert_array_equal(values[0], expected)


def test_nothing_moves_where_nothing_is_zeroed(sessions: Sessions) -> None:
    """Source values do not reach the decoder through the encoder, nor target values back."""
    source, target = RANDOM[1]
    encoder, decoder = zeroed_distances(sessions, source, target, (0, len(source) + len(target)))
    assert encoder[: len(source)].any(axis=(1, 2)).all()
    assert not encoder[len(source) :].any()
    for token in range(len(target)):
        moved = decoder[len(source) + token]
        assert not moved[:, :token].any()
        assert moved[:, token].any()


def test_values_are_zeroed_alike_in_passes_of_any_size(sessions: Sessions) -> None:
    source, target = RANDOM[1]
    count = len(source) + len(target)
    whole = zeroed_distances(sessions, source, target, (0, count))
    for place in range(count):
        alone = zeroed_distances(sessions, source, target, (place, place + 1))
        for together, apart in zip(whole, alone, strict=True):
            np.testing.assert_allclose(together[place], apart[0], rtol=1e-4, atol=1e-7)


def test_occlusion_is_one_pass_without_each_token(sessions: Sessions) -> None:
    """By brute force: the pairs with one unknown token each, through the attention pass."""
    special = sessions.bundle.manifest.special_ids
    for source, target in RANDOM:
        (whole,) = attend(sessions, [source], [target])
        change = np.zeros((len(target), len(source) + len(target)))
        for place in range(len(source)):
            other = [special.unk if i == place else token for i, token in enumerate(source)]
            (found,) = attend(sessions, [other], [target])
            change[:, place] = np.abs(found.log_probs - whole.log_probs)
        for place in range(len(target)):
            inputs = [special.bos, *target[:-1]]
            inputs[place] = special.unk
            change[:, len(source) + place] = np.abs(
                log_probs_after(sessions, source, inputs, target) - whole.log_probs
            )
        change /= change.sum(axis=1, keepdims=True)
        found_source, found_target = causes(sessions, "occlusion", (source, target))
        both = np.concatenate([found_source, found_target], axis=1)
        np.testing.assert_allclose(both, change, atol=1e-4)


def log_probs_after(
    sessions: Sessions, source: Sequence[int], inputs: Sequence[int], labels: Sequence[int]
) -> Float32:
    feeds = {
        "source_ids": np.array([source]),
        "source_lengths": np.array([len(source)], np.int32),
        "target_ids": np.array([inputs]),
        "target_lengths": np.array([len(inputs)], np.int32),
        "label_ids": np.array([labels]),
    }
    return np.asarray(sessions.attention.run(["log_probs"], feeds)[0][0])


@pytest.mark.parametrize("folder", [tiny().path, EN_DE], ids=["tiny", "en-de"])
def test_graphs_are_small(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = (copy / "weights.bin").read_bytes()
    manifest = renew(copy)
    assert sum(manifest.files[name].size_bytes for name in INSPECTION_NAMES) < 2_000_000
    assert {VALUE_ZEROING_NAME, ALTI_NAME} <= manifest.files.keys()
    assert (copy / "weights.bin").read_bytes() == weights
