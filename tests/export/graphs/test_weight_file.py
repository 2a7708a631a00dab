"""Weights are stored once, whatever their names and however many graphs read them."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from bundle.tensors import CANDIDATES_NAME, GRAPH_NAMES, WEIGHTS_NAME
from export.calibration.activations import calibrate
from export.graphs.weight_file import ALIGNMENT, INLINE_BYTES, PAGE_BYTES, WeightFile
from export.graphs.writer import write_graphs
from tests.export.networks import network, random_ids, random_transformer


def _offset(tensor: TensorProto) -> int:
    return int(next(e.value for e in tensor.external_data if e.key == "offset"))


def _read(tensor: TensorProto, folder: Path) -> NDArray[np.generic]:
    return numpy_helper.to_array(tensor, str(folder))


def test_arrays_come_back_as_they_were_placed(tmp_path: Path) -> None:
    file = WeightFile(tmp_path)
    numbers = np.random.default_rng(0)
    arrays: dict[str, NDArray[np.generic]] = {
        "odd": numbers.integers(-128, 127, 301, dtype=np.int8),
        "matrix": numbers.normal(size=(40, 50)).astype(np.float32),
        "transposed": numbers.normal(size=(40, 50)).astype(np.float32).T,
        "inline": np.arange(3, dtype=np.int64),
        "scalar": np.array(0.5, np.float32),
    }
    placed = {name: file.place(name, values) for name, values in arrays.items()}
    for name, values in arrays.items():
        np.testing.assert_array_equal(_read(placed[name], tmp_path), values)
        assert _read(placed[name], tmp_path).dtype == values.dtype


def test_equal_arrays_share_their_bytes_whatever_their_names(tmp_path: Path) -> None:
    file = WeightFile(tmp_path)
    values = np.arange(1000, dtype=np.float32)
    first, second = file.place("a", values), file.place("b", values.copy())
    assert (first.name, second.name) == ("a", "b")
    assert _offset(first) == _offset(second)
    assert (tmp_path / WEIGHTS_NAME).stat().st_size == values.nbytes
    assert _offset(file.place("c", values + 1)) > 0


def test_offsets_are_aligned(tmp_path: Path) -> None:
    file = WeightFile(tmp_path)
    sizes = [INLINE_BYTES + 1, INLINE_BYTES + 3, PAGE_BYTES - 1, PAGE_BYTES, 3 * PAGE_BYTES + 7]
    for size in sizes:
        offset = _offset(file.place(str(size), np.full(size, size % 100, np.int8)))
        assert offset % (PAGE_BYTES if size >= PAGE_BYTES else ALIGNMENT) == 0


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_graphs_share_one_file_without_a_gap_for_what_is_shared(
    precision: str, tmp_path: Path
) -> None:
    model = network(random_transformer(d_model=128, d_ff=256, vocab_size=1000))
    pairs = list(zip(random_ids(8, seed=1), random_ids(8, seed=2), strict=True))
    plan = calibrate(model, pairs) if precision == "int8" else None
    write_graphs(model, plan, tmp_path)
    num_parameters = model.architecture.num_parameters
    width = 1 if plan else 4
    size = (tmp_path / WEIGHTS_NAME).stat().st_size
    # Positions, scales, biases and alignment: under a sixth on top of the parameters.
    assert num_parameters * width < size < num_parameters * width * 1.17
    for name in GRAPH_NAMES:
        graph = onnx.load(tmp_path / name, load_external_data=False)
        assert (tmp_path / name).stat().st_size < 100_000
        onnx.checker.check_model(str(tmp_path / name))
        is_outside = [t.data_location == TensorProto.EXTERNAL for t in graph.graph.initializer]
        # Nothing is learnt in the candidates graph: all that it holds is small enough to stay.
        assert any(is_outside) == (name != CANDIDATES_NAME)
