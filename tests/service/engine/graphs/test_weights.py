"""Graphs over weights in memory: the same tensors, the same results, no copy for each session."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import onnxruntime as ort
import pytest

from bundle.reader import Bundle, read_bundle
from bundle.tensors import ATTENTION_NAME, DECODER_NAME, ENCODER_NAME, WEIGHTS_NAME
from service.engine.graphs.external_tensors import external_tensors
from service.engine.graphs.sessions import check_attention, open_sessions
from service.engine.graphs.weights import add_weights
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions, Hypothesis
from tests.service.engine.tiny import tiny
from tests.service.tiny_models import TINY_BUNDLE


@cache
def sealed() -> Bundle:
    return read_bundle(TINY_BUNDLE, seals=True)


def decoded(bundle: Bundle, beam_size: int) -> Sequence[tuple[Hypothesis, ...]]:
    sources = [[5 + i, 9, 30 + i, bundle.manifest.special_ids.eos] for i in range(6)]
    options = DecodeOptions(max_target_tokens=12, beam_size=beam_size, with_scores=True)
    return decode_batch(open_sessions(bundle), sources, options, num_slots=16)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_sealed_bundle_decodes_as_one_on_disk_does(beam_size: int) -> None:
    assert sealed().files is not None
    assert decoded(sealed(), beam_size) == decoded(tiny(), beam_size)


def test_the_attention_graph_of_a_sealed_bundle_opens() -> None:
    check_attention(open_sessions(sealed()))


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
