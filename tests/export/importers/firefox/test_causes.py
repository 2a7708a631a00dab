"""What exists of causes in a model with a recurrence: all but ALTI."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.tensors import ALTI_NAME
from export.importers.importer import prepare_import
from export.network import Network
from export.verification.numpy_reference import NumpyReference
from service.engine.graphs.sessions import Sessions
from service.errors import InvalidRequestError
from service.inspection.causes.methods import check_method
from service.inspection.values import Method
from tests.export.graphs.inspection.test_causes import causes
from tests.export.importers.firefox.firefox_models import save_model
from tests.export.importers.firefox.test_firefox import _read, sessions_of, sources, targets

Double = NDArray[np.float64]


class _Zeroed(NumpyReference):
    """The formulas in NumPy, with one token's values or new states taken away.

    Every layer reads what the layers below have without that.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.clean: dict[str, Double] = {}
        self.found: dict[str, Double] = {}
        self.names: tuple[str, ...] = ()
        self.token = 0

    def _linear(self, value: Double, name: str) -> Double:
        result = super()._linear(value, name)
        if name.startswith(self.names) and name.endswith((".value", ".input")) and self.names:
            result[:, self.token] = 0
        return result

    def _feed_forward(self, hidden: Double, layer: str) -> Double:
        self.found[layer] = super()._feed_forward(hidden, layer)
        return self.clean.get(layer, self.found[layer])

    def outputs(
        self, source: list[int], target: list[int], names: tuple[str, ...] = (), token: int = 0
    ) -> dict[str, Double]:
        self.names, self.token, self.found = names, token, {}
        self.teacher_forced([source], [target])
        return self.found


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    folder = tmp_path_factory.mktemp("causes")
    return sessions_of(folder, precision="fp32", is_int8=False)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> _Zeroed:
    folder = tmp_path_factory.mktemp("reference")
    path = save_model(folder / "model", is_int8=False)
    job = prepare_import(*_read(path, folder / "out", "fp32"))
    return _Zeroed(job.model.network)


def _pairs(sessions: Sessions) -> list[tuple[list[int], list[int]]]:
    return list(zip(sources(sessions, 4), targets(sessions, 4), strict=True))


def _distances(reference: _Zeroed, source: list[int], target: list[int], stack: str) -> Double:
    """[layers, row, place] of one stack, by cosines."""
    reference.clean = {}
    clean = reference.outputs(source, target)
    reference.clean = clean
    layers = [name for name in clean if name.startswith(stack)]
    read = tuple(f"{name}.self_attention" for name in layers)
    if stack == "decoder":
        read = tuple(f"{name}.cross_attention" for name in layers)
    places = [(read, token) for token in range(len(source))]
    if stack == "decoder":
        own = tuple(f"{name}.recurrence" for name in layers)
        places += [(own, token) for token in range(len(target))]
    moved = [reference.outputs(source, target, *place) for place in places]
    return np.array(
        [[_one_minus_cosine(m[name][0], clean[name][0]) for m in moved] for name in layers]
    ).transpose(0, 2, 1)


def _one_minus_cosine(a: Double, b: Double) -> Double:
    product = (a * b).sum(-1)
    return np.asarray(1 - product / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1))


def test_value_zeroing_is_that_of_the_formulas(sessions: Sessions, reference: _Zeroed) -> None:
    for source, target in _pairs(sessions):
        encoder, decoder = (
            _distances(reference, source, target, stack) for stack in ("encoder", "decoder")
        )
        n, t = len(source), len(target)
        whole = np.eye(n + t)
        for layer in encoder:
            step = np.eye(n + t)
            step[:n, :n] = layer / layer.sum(axis=1, keepdims=True)
            whole = step @ whole
        for layer in decoder:
            step = np.eye(n + t)
            step[n:] = layer / layer.sum(axis=1, keepdims=True)
            whole = step @ whole
        found = np.concatenate(
            causes(sessions, "value_zeroing", (tuple(source), tuple(target))), axis=1
        )
        np.testing.assert_allclose(found, whole[n:], atol=1e-4)


@pytest.mark.parametrize("method", ["rollout", "value_zeroing", "occlusion"])
def test_rows_sum_to_one_in_int8(method: Method, tmp_path: Path) -> None:
    served = sessions_of(tmp_path)
    for source, target in _pairs(served):
        found = np.concatenate(causes(served, method, (tuple(source), tuple(target))), axis=1)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        assert not np.triu(found[:, len(source) :], k=1).any()


def test_alti_is_refused_with_what_there_is(sessions: Sessions) -> None:
    assert not sessions.bundle.has_file(ALTI_NAME)
    with pytest.raises(InvalidRequestError, match="it has attention, rollout, value_zeroing, occ"):
        check_method("alti", sessions.bundle)
