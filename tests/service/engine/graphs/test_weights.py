"""Graphs over weights in memory: the same tensors, the same results, no copy for each session."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from bundle.reader import Bundle, read_bundle
from bundle.tensors import ATTENTION_NAME, DECODER_NAME, ENCODER_NAME, WEIGHTS_NAME
from service.engine.graphs.external_tensors import external_tensors
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.graphs.weights import add_weights
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions, Hypothesis
from tests.service.engine.tiny import tiny
from tests.service.server_process import REPOSITORY
from tests.service.tiny_models import TINY_BUNDLE

EMBEDDED_BUNDLE = REPOSITORY / "bundles" / "en-de"


@cache
def sealed(folder: Path) -> Bundle:
    return read_bundle(folder, seals=True)


def decoded(bundle: Bundle, beam_size: int) -> Sequence[tuple[Hypothesis, ...]]:
    sources = [[5 + i, 9, 30 + i, bundle.manifest.special_ids.eos] for i in range(6)]
    options = DecodeOptions(max_target_tokens=12, beam_size=beam_size, with_scores=True)
    return decode_batch(open_sessions(bundle), sources, options, num_slots=16)


@pytest.mark.parametrize("folder", [TINY_BUNDLE, EMBEDDED_BUNDLE], ids=lambda folder: folder.name)
class TestSealed:
    """The embedded bundle has weights that the optimiser changes, the tiny one has none."""

    @pytest.mark.parametrize("beam_size", [1, 3])
    def test_it_decodes_as_on_disk(self, folder: Path, beam_size: int) -> None:
        assert sealed(folder).files is not None
        assert decoded(sealed(folder), beam_size) == decoded(read_bundle(folder), beam_size)

    def test_it_attends_as_on_disk(self, folder: Path) -> None:
        for found, expected in zip(
            attended(sealed(folder)), attended(read_bundle(folder)), strict=True
        ):
            assert np.array_equal(found, expected)

    def test_embeddings_are_tables_and_projections_are_not(self, folder: Path) -> None:
        tensors = external_tensors((folder / DECODER_NAME).read_bytes())
        tables = {tensor.name for tensor in tensors if tensor.is_table}
        assert any("embedding" in name for name in tables)
        assert not any("feed_forward" in name or "norm" in name for name in tables)


def attended(bundle: Bundle) -> Sequence[NDArray[np.generic]]:
    """All outputs of the attention graph for two pairs of different lengths."""
    session = Sessions(bundle=bundle, num_threads=1).attention
    ids, lengths = np.array([[7, 9, 3, 0], [7, 9, 11, 3]]), np.array([3, 4], dtype=np.int32)
    given = {each.name: lengths if "lengths" in each.name else ids for each in session.get_inputs()}
    results: Sequence[NDArray[np.generic]] = session.run(None, given)
    return results


@pytest.mark.parametrize("name", [ENCODER_NAME, DECODER_NAME, ATTENTION_NAME])
def test_tensors_are_as_large_as_their_shapes_and_within_the_weights(name: str) -> None:
    tensors = external_tensors(tiny().file(name).read_bytes())
    size = tiny().file(WEIGHTS_NAME).stat().st_size
    assert tensors
    for tensor in tensors:
        assert tensor.file == WEIGHTS_NAME
        assert tensor.offset + tensor.size_bytes <= size
        values = np.prod(tensor.shape, dtype=np.int64) * np.dtype(tensor.dtype).itemsize
        assert values == tensor.size_bytes


def test_a_session_takes_the_weights_it_is_given() -> None:
    """Zeros instead of the weights: nothing is read from the folder meanwhile."""
    zeros = {WEIGHTS_NAME: memoryview(bytes(tiny().file(WEIGHTS_NAME).stat().st_size))}
    graph = tiny().file(ENCODER_NAME).read_bytes()
    options = ort.SessionOptions()
    weights = add_weights(options, graph, zeros)
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    shape = [1, 4]
    given = {
        each.name: np.ones(shape[: len(each.shape)], each.type[7:-1].replace("float", "float32"))
        for each in session.get_inputs()
    }
    found = session.run(None, given)
    assert all(not np.any(values) for values in found)
    assert len(weights) == len(external_tensors(graph))


def test_weights_that_are_too_short_are_named() -> None:
    graph = tiny().file(ENCODER_NAME).read_bytes()
    with pytest.raises(ValueError, match=rf"{WEIGHTS_NAME} has no bytes \d+ to \d+"):
        add_weights(ort.SessionOptions(), graph, {WEIGHTS_NAME: memoryview(b"short")})
    with pytest.raises(ValueError, match=rf"{WEIGHTS_NAME} has no bytes"):
        add_weights(ort.SessionOptions(), graph, {})


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_graph_that_is_cut_short_is_no_model(cut: int) -> None:
    with pytest.raises(ValueError, match="no model that can be read"):
        external_tensors(tiny().file(ENCODER_NAME).read_bytes()[:-cut])
