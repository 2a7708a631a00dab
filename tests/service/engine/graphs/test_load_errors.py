"""Graphs that no installed onnxruntime can run, made from the tiny bundle's by changing bytes."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnxruntime as ort
import pytest

from bundle.errors import InvalidBundleError
from bundle.reader import Bundle
from bundle.tensors import ATTENTION_NAME, DECODER_NAME, ENCODER_NAME
from service.engine.graphs.load_errors import explain_load_error
from service.engine.graphs.sessions import check_attention, open_sessions
from tests.service.engine.tiny import tiny

INSTALLED = ort.__version__
OPSET = b"\x42\x04\x0a\x00\x10\x15"
"""The import of ai.onnx, opset 21: a message of four bytes, an empty name, a number."""
OPSET_99 = b"\x42\x04\x0a\x00\x10\x63"
FUTURE = "99.1.0"

Change = Callable[[Bundle, str, bytes, bytes], Bundle]


@pytest.fixture
def changed(tmp_path: Path) -> Change:
    """The tiny bundle with other bytes in one of its graphs, after it was verified."""

    def change(bundle: Bundle, name: str, old: bytes, new: bytes) -> Bundle:
        assert len(old) == len(new), "lengths stand in the file"
        folder = tmp_path / "bundle"
        shutil.copytree(bundle.path, folder)
        graph = (folder / name).read_bytes()
        assert old in graph
        (folder / name).write_bytes(graph.replace(old, new))
        return replace(bundle, path=folder)

    return change


def exported_with(version: str | None) -> Bundle:
    manifest = tiny().manifest.model_copy(update={"onnxruntime": version})
    return replace(tiny(), manifest=manifest)


def fault_of(bundle: Bundle) -> str:
    with pytest.raises(InvalidBundleError) as caught:
        check_attention(open_sessions(bundle))
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            b"GroupQueryAttention",
            b"GroupQueryAttentiOn",
            "lacks the operator com.microsoft:GroupQueryAttentiOn",
        ),
        (
            b"LayerNormalization*",
            b"LayerNormalizatiOn*",
            "lacks the operator ai.onnx:LayerNormalizatiOn of opset 21",
        ),
        (
            b"kv_num_heads",
            b"kv_num_headz",
            "GroupQueryAttention without its attribute kv_num_headz",
        ),
        (OPSET, OPSET_99, "the graph needs opset 99"),
    ],
)
def test_an_operator_that_onnxruntime_lacks_is_named_with_the_version_that_has_it(
    changed: Change, old: bytes, new: bytes, reason: str
) -> None:
    fault = fault_of(changed(exported_with(FUTURE), DECODER_NAME, old, new))
    assert fault.startswith(f"{DECODER_NAME}: onnxruntime {INSTALLED} ")
    assert reason in fault
    remedy = f"the bundle was exported with onnxruntime {FUTURE}: install that or a newer one"
    assert fault.endswith(f"; {remedy}")
    assert "\n" not in fault


@pytest.mark.parametrize("name", [ENCODER_NAME, ATTENTION_NAME])
def test_the_other_graphs_are_explained_alike(changed: Change, name: str) -> None:
    bundle = changed(tiny(), name, OPSET, OPSET_99)
    assert "the graph needs opset 99; " in fault_of(bundle)


def test_a_graph_of_a_later_format_is_explained(changed: Change) -> None:
    graph = tiny().file(DECODER_NAME).read_bytes()
    ir_version, producer = graph[:2], b"\x12\x08pellucid"
    assert ir_version[:1] == b"\x08"
    bundle = changed(
        exported_with(None), DECODER_NAME, ir_version + producer, b"\x08\x63" + producer
    )
    assert fault_of(bundle).endswith(", this one has 99; install a newer one")


def test_other_errors_keep_the_words_of_onnxruntime() -> None:
    said = "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Failed to load model\nand more"
    assert explain_load_error(said, installed="1.31.1", exported_with="1.31.1") == (
        "onnxruntime 1.31.1 refuses it: [ONNXRuntimeError] : 7 : INVALID_PROTOBUF : "
        "Failed to load model"
    )


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "Could not find an implementation for Erf(13) node with name 'layers.0'",
            "cannot compute the operator Erf of opset 13 with these types",
        ),
        (
            (
                "Type Error: Type 'tensor(int8)' of input parameter (past) "
                "of operator (GroupQueryAttention) in node (layers.0) is invalid."
            ),
            "knows the operator GroupQueryAttention without tensor(int8) as its input past",
        ),
        (
            (
                'In Node, ("layers.0", Gelu, "com.microsoft", -1) : ("x": tensor(float),) -> () , '
                "Error Node(layers.0) with schema(Gelu:1) has input size 4 not in range"
            ),
            "knows the operator com.microsoft:Gelu without 4 inputs",
        ),
    ],
)
def test_other_words_for_it_are_understood(said: str, reason: str) -> None:
    explained = explain_load_error(said, installed="1.23.0", exported_with="1.31.1")
    assert explained == (
        f"onnxruntime 1.23.0 {reason}; the bundle was exported with onnxruntime 1.31.1: "
        "install that or a newer one"
    )


def test_an_older_onnxruntime_is_suspected_whatever_it_says() -> None:
    explained = explain_load_error("no", installed="1.9.3", exported_with="1.10")
    assert explained.endswith(
        "refuses it: no; the bundle was exported with onnxruntime 1.10: install that or a newer one"
    )


def test_a_later_onnxruntime_may_have_dropped_an_operator() -> None:
    said = "Fatal error: com.microsoft:Old(-1) is not a registered function/op"
    assert explain_load_error(said, installed="2.0.0", exported_with="1.31.1") == (
        "onnxruntime 2.0.0 lacks the operator com.microsoft:Old; the bundle was exported with "
        "onnxruntime 1.31.1: install that"
    )
