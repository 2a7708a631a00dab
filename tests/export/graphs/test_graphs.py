"""The graphs compute the same as the torch network, for every architecture."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bundle.manifest import CacheDtype
from export.calibration.activations import calibrate
from export.errors import VerificationError
from export.verification.forced_decoding import forced_logits, largest_difference
from export.verification.parity import MAX_ERROR, check_parity, measure_parity
from export.verification.torch_reference import TorchReference
from model.transformer import Transformer
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.sessions import Sessions, check_attention
from tests.export.networks import ALL_KINDS, network, open_graphs, random_ids, random_transformer

SOURCES, TARGETS = random_ids(12, seed=1), random_ids(12, seed=2)
MANY_SOURCES, MANY_TARGETS = random_ids(60, seed=1), random_ids(60, seed=2)
"""So many that one value on another step of its grid, which changes the rest of its sentence,
changes few of all."""


@pytest.fixture(scope="module", params=ALL_KINDS.values(), ids=list(ALL_KINDS))
def kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Transformer, Sessions]:
    model = random_transformer(**request.param)
    folder = tmp_path_factory.mktemp("kind") / "graphs"
    return model, open_graphs(network(model), None, folder)


def test_fp32_graphs_compute_what_the_network_computes(
    kind: tuple[Transformer, Sessions],
) -> None:
    report = measure_parity(TorchReference(kind[0]), kind[1], SOURCES, TARGETS)
    check_parity(report)
    assert report.identical_sentences == report.sentences == len(SOURCES)
    errors = [v for n, v in report.model_dump().items() if n.endswith("_error")]
    assert len(errors) == 6
    # The graphs are really run: arithmetic in another order leaves a trace.
    assert 0 < max(errors) <= MAX_ERROR


def test_all_graphs_have_the_inputs_and_outputs_of_the_contract(
    kind: tuple[Transformer, Sessions],
) -> None:
    check_attention(kind[1])


def test_attention_rows_sum_to_one_and_see_no_padding(
    kind: tuple[Transformer, Sessions],
) -> None:
    _, sessions = kind
    for pair, source, target in zip(
        attend(sessions, SOURCES, TARGETS), SOURCES, TARGETS, strict=True
    ):
        for maps in (pair.encoder, pair.decoder, pair.cross):
            np.testing.assert_allclose(maps.sum(-1), 1, atol=1e-5)
        assert pair.encoder.shape[2:] == (len(source), len(source))
        assert pair.cross.shape[2:] == (len(target), len(source))
        assert (np.triu(pair.decoder, k=1) == 0).all()


def test_rows_and_columns_on_padding_are_exactly_zero(
    kind: tuple[Transformer, Sessions],
) -> None:
    _, sessions = kind
    feeds = {
        "source_ids": np.array([[5, 6, 7, 3, 9, 9]]),
        "source_lengths": np.array([4], np.int32),
        "target_ids": np.array([[2, 8, 9, 9, 9]]),
        "target_lengths": np.array([2], np.int32),
        "label_ids": np.array([[8, 3, 9, 9, 9]]),
    }
    names = ["encoder_attention", "decoder_attention", "cross_attention", "log_probs"]
    encoder, decoder, cross, log_probs = sessions.attention.run(names, feeds)
    for maps, query, key in ((encoder, 4, 4), (decoder, 2, 2), (cross, 2, 4)):
        assert (maps[..., :query, :key].sum(-1) > 0.99).all()
        assert (maps[..., query:, :] == 0).all()
        assert (maps[..., key:] == 0).all()
    assert (log_probs[:, :2] < 0).all()
    assert (log_probs[:, 2:] == 0).all()


def test_log_probabilities_are_those_of_the_cached_decoder(
    kind: tuple[Transformer, Sessions],
) -> None:
    _, sessions = kind
    logits = forced_logits(sessions, SOURCES, TARGETS)
    for pair, steps, target in zip(
        attend(sessions, SOURCES, TARGETS), logits, TARGETS, strict=True
    ):
        log_probs = torch.from_numpy(steps).log_softmax(-1).numpy()
        np.testing.assert_allclose(
            pair.log_probs, log_probs[np.arange(len(target)), target], atol=MAX_ERROR
        )


@pytest.mark.parametrize("cache", ["float32", "int8"])
@pytest.mark.parametrize("architecture", ALL_KINDS.values(), ids=list(ALL_KINDS))
def test_attention_of_int8_has_the_arithmetic_of_the_decoder(
    architecture: dict[str, Any], cache: CacheDtype, tmp_path: Path
) -> None:
    model = network(random_transformer(**architecture))
    plan = calibrate(model, list(zip(MANY_SOURCES, MANY_TARGETS, strict=True)))
    plan = plan if cache == "int8" else replace(plan, cache=None)
    sessions = open_graphs(model, plan, tmp_path / "graphs")
    assert sessions.bundle.manifest.cache == cache
    passes = attend(sessions, MANY_SOURCES, MANY_TARGETS)
    seen = np.concatenate([pair.log_probs for pair in passes])
    differences = np.abs(seen - _served(sessions))
    # Attention is summed in another order, which moves a value to the next step of its grid now
    # and then; all others agree as they do in fp32.
    assert np.mean(differences > MAX_ERROR) < 0.05
    rounding = np.abs(seen - _served(open_graphs(model, None, tmp_path / "plain")))
    assert differences.mean() < 0.05 * rounding.mean()


def _served(sessions: Sessions) -> NDArray[np.float32]:
    """Log-probabilities of all target tokens from the cached decoder."""
    logits = forced_logits(sessions, MANY_SOURCES, MANY_TARGETS)
    log_probs = [torch.from_numpy(steps).log_softmax(-1).numpy() for steps in logits]
    return np.concatenate(
        [
            steps[np.arange(len(target)), target]
            for steps, target in zip(log_probs, MANY_TARGETS, strict=True)
        ]
    )


def test_graphs_of_another_network_are_refused_with_figures(tmp_path: Path) -> None:
    sessions = open_graphs(network(random_transformer(seed=1)), None, tmp_path / "graphs")
    report = measure_parity(TorchReference(random_transformer(seed=2)), sessions, SOURCES, TARGETS)
    with pytest.raises(VerificationError, match=r"encoder_max_error .* is over 1e-04") as caught:
        check_parity(report)
    assert " attention_max_error" in str(caught.value)
    assert "cached_attention_max_error" in str(caught.value)
    assert "greedy translations differ" in str(caught.value)


def test_nan_equals_nothing() -> None:
    numbers = np.ones(3, np.float32)
    broken = np.array([1, np.nan, 1], np.float32)
    assert largest_difference(numbers, numbers) == 0
    assert largest_difference(broken, numbers) == np.inf
    assert largest_difference(broken, broken) == np.inf
