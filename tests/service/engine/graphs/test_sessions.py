import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import InvalidBundleError
from bundle.manifest import CacheDtype
from bundle.reader import Bundle
from bundle.tensors import ATTENTION_NAME, CANDIDATES_NAME, DECODER_NAME, ENCODER_NAME
from service.engine.graphs.sessions import check_attention, open_sessions
from tests.service.engine.tiny import tiny

Open = Callable[[Bundle], object]

SIDES = [("input", "past"), ("input", "cross"), ("output", "present"), ("output", "present_cross")]
"""What the decoder has of every layer, a key and a value each."""
NAMED_AXIS = b"\x0a\x06\x12\x04rows"
"""An axis in a graph's file: a message of six bytes, the four letters of its name."""
FIXED_AXIS = b"\x0a\x06\x08\x81\x80\x80\x80\x00"
"""As long, but the number 1."""


@pytest.fixture
def copied(tmp_path: Path) -> Bundle:
    """The tiny bundle in a folder that a test may spoil, after it was verified."""
    shutil.copytree(tiny().path, tmp_path / "bundle")
    return replace(tiny(), path=tmp_path / "bundle")


def claiming(bundle: Bundle, cache: CacheDtype = "int8", **changes: int) -> Bundle:
    """The same files under a manifest that describes another cache or architecture."""
    architecture = bundle.manifest.architecture.model_copy(update=changes)
    update = {"architecture": architecture, "cache": cache}
    return replace(bundle, manifest=bundle.manifest.model_copy(update=update))


def open_attention(bundle: Bundle) -> None:
    check_attention(open_sessions(bundle))


def faults_of(bundle: Bundle, opening: Open = open_sessions) -> tuple[str, ...]:
    with pytest.raises(InvalidBundleError) as caught:
        opening(bundle)
    assert caught.value.path == bundle.path
    return caught.value.faults


def test_a_bundle_that_fits_is_opened() -> None:
    sessions = open_sessions(tiny(), num_threads=2)
    assert sessions.bundle is tiny()
    assert sessions.num_threads == 2
    check_attention(sessions)


def test_a_vocabulary_of_another_size_is_named() -> None:
    vocab_size = tiny().manifest.architecture.vocab_size
    assert faults_of(claiming(tiny(), vocab_size=7)) == tuple(
        f"{where}: shape ['rows', {vocab_size}], not ['rows', 7]"
        for where in (
            f"{DECODER_NAME}: output logits",
            f"{CANDIDATES_NAME}: input logits",
            f"{CANDIDATES_NAME}: output log_probs",
        )
    )


def test_a_cache_of_another_dtype_is_named_once_per_tensor() -> None:
    faults = faults_of(claiming(tiny(), cache="float32"))
    layers = tiny().manifest.architecture.num_decoder_layers
    assert f"{ENCODER_NAME}: output cross_value.1: int8, not float32" in faults
    assert f"{DECODER_NAME}: input past_key.0: int8, not float32" in faults
    assert len(faults) == (2 + 2 * len(SIDES)) * layers
    assert all(fault.endswith(": int8, not float32") for fault in faults)


def test_every_tensor_that_is_missing_is_named_in_both_graphs() -> None:
    faults = faults_of(claiming(tiny(), num_decoder_layers=3))
    assert sorted(faults) == sorted(
        [
            *(f"{ENCODER_NAME}: output cross_{kind}.2: missing" for kind in ("key", "value")),
            *(
                f"{DECODER_NAME}: {side} {name}_{kind}.2: missing"
                for side, name in SIDES
                for kind in ("key", "value")
            ),
        ]
    )


def test_every_tensor_that_is_unknown_is_named_in_both_graphs() -> None:
    faults = faults_of(claiming(tiny(), num_decoder_layers=1))
    assert f"{ENCODER_NAME}: output cross_key.1: unknown" in faults
    assert f"{DECODER_NAME}: input past_value.1: unknown" in faults
    assert f"{DECODER_NAME}: output present_cross_key.1: unknown" in faults
    assert len(faults) == 2 + 2 * len(SIDES)


def test_heads_of_another_width_are_named_once_per_tensor() -> None:
    architecture = tiny().manifest.architecture
    faults = faults_of(claiming(tiny(), num_heads=architecture.num_heads * 2))
    layers = architecture.num_decoder_layers
    assert len(faults) == (2 + 2 * len(SIDES)) * layers
    assert all("shape ['" in fault for fault in faults)


def test_a_graph_in_another_graph_s_place_is_refused(copied: Bundle) -> None:
    shutil.copy(copied.file(DECODER_NAME), copied.file(ENCODER_NAME))
    faults = faults_of(copied)
    # The same name in both graphs, with another dtype or number of axes, is a fault as well.
    assert f"{ENCODER_NAME}: input input_ids: shape ['rows', 1], not ['batch', 'source']" in faults
    assert f"{ENCODER_NAME}: output logits: unknown" in faults
    assert all(fault.startswith(ENCODER_NAME) for fault in faults)


def test_an_axis_that_cannot_vary_is_refused(copied: Bundle) -> None:
    graph = copied.file(DECODER_NAME).read_bytes()
    assert NAMED_AXIS in graph
    copied.file(DECODER_NAME).write_bytes(graph.replace(NAMED_AXIS, FIXED_AXIS))
    faults = faults_of(copied)
    assert f"{DECODER_NAME}: input positions: shape [1], not ['rows']" in faults


def test_files_that_are_no_graphs_are_reported_together(copied: Bundle) -> None:
    names = [ENCODER_NAME, DECODER_NAME, CANDIDATES_NAME]
    for name in names:
        copied.file(name).write_bytes(b"no graph")
    faults = faults_of(copied)
    assert [fault.split(":")[0] for fault in faults] == names
    assert all("onnxruntime" in fault and "\n" not in fault for fault in faults)


def test_a_file_that_is_cut_off_is_refused_beside_other_faults(copied: Bundle) -> None:
    graph = copied.file(DECODER_NAME).read_bytes()
    copied.file(DECODER_NAME).write_bytes(graph[: len(graph) // 2])
    faults = faults_of(claiming(copied, num_decoder_layers=3))
    assert faults[0] == f"{ENCODER_NAME}: output cross_key.2: missing"
    assert faults[-1].startswith(f"{DECODER_NAME}: onnxruntime")


def test_the_attention_graph_is_checked_alike(copied: Bundle) -> None:
    claimed = claiming(copied, num_encoder_layers=5)
    heads = claimed.manifest.architecture.num_heads
    layers = tiny().manifest.architecture.num_encoder_layers
    axes = f"{heads}, 'source', 'source']"
    (fault,) = faults_of(claimed, open_attention)
    where = f"{ATTENTION_NAME}: output encoder_attention"
    assert fault == f"{where}: shape ['batch', {layers}, {axes}, not ['batch', 5, {axes}"
    copied.file(ATTENTION_NAME).write_bytes(b"")
    (fault,) = faults_of(copied, open_attention)
    assert fault.startswith(f"{ATTENTION_NAME}: onnxruntime")


def test_the_attention_graph_is_opened_when_asked_for_and_only_once(copied: Bundle) -> None:
    sessions = open_sessions(copied)
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda _: sessions.attention, range(32)))
    assert all(session is opened[0] for session in opened)
    copied.file(ATTENTION_NAME).unlink()
    assert sessions.attention is opened[0]
    assert (
        open_sessions(copied).bundle is copied
    )  # the graph is not opened, so the file is not missed
