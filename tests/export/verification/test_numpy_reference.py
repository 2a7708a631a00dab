"""The formulas in NumPy are those of the network in torch, in every form that imports have."""

import math

import numpy as np
import pytest
import torch

from export.importers.networks.torch_activations import activation_module
from export.verification.numpy_reference import NumpyReference, activated
from export.verification.torch_reference import TorchReference
from tests.export.networks import KINDS, network, random_ids, random_transformer

SOURCES, TARGETS = random_ids(8, seed=1), random_ids(8, seed=2)


@pytest.mark.parametrize("kind", KINDS)
def test_both_references_compute_the_same(kind: str) -> None:
    model = random_transformer(**KINDS[kind])
    ours, theirs = NumpyReference(network(model)), TorchReference(model)
    lengths = np.array(list(map(len, SOURCES)))
    is_token = (np.arange(lengths.max()) < lengths[:, None])[:, None, :, None]
    for have, want in zip(ours.memory(SOURCES), theirs.memory(SOURCES), strict=True):
        for a, b in zip(have, want, strict=True):
            np.testing.assert_allclose(a * is_token, b * is_token, atol=1e-4)
    for is_cached in (False, True):
        found = ours.teacher_forced(SOURCES, TARGETS, is_cached=is_cached)
        wanted = theirs.teacher_forced(SOURCES, TARGETS, is_cached=is_cached)
        for i, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
            s, t = len(source), len(target)
            maps = [
                (found.encoder[:, i, :, :s, :s], wanted.encoder[:, i, :, :s, :s]),
                (found.decoder[:, i, :, :t, :t], wanted.decoder[:, i, :, :t, :t]),
                (found.cross[:, i, :, :t, :s], wanted.cross[:, i, :, :t, :s]),
                (found.logits[i, :t], wanted.logits[i, :t]),
            ]
            for found_map, wanted_map in maps:
                np.testing.assert_allclose(found_map, wanted_map, atol=2e-4)
    assert ours.greedy(SOURCES, 20) == theirs.greedy(SOURCES, 20)


@pytest.mark.parametrize("name", ["relu", "gelu", "swish", "gelu-tanh", "gelu-sigmoid"])
def test_activations_are_those_of_torch(name: str) -> None:
    values = np.linspace(-6, 6, 101)
    want = activation_module(name)(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(activated(values, name), want, atol=1e-9)
    assert math.isfinite(float(activated(np.array([30.0]), name)[0]))
