"""States by the exported graph are those of the network in torch, and of the served arithmetic."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from bundle.reader import Bundle, read_bundle
from bundle.tensors import ATTENTION_NAME, STATES_NAME
from export.calibration.activations import calibrate
from export.graphs.inspection.states import build_states
from export.network import network_of
from export.recovery.network import network_of_bundle
from model.transformer import EncoderLayer, Transformer
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.sessions import Sessions
from service.engine.inspection import AttendRequest, WantedOutputs, run_pass
from tests.export.networks import ALL_KINDS, network, open_graphs, random_ids, random_transformer
from tests.service.engine.tiny import tiny, tiny_sources

EN_DE = Path(__file__).parents[4] / "bundles" / "en-de"
RANDOM = random_ids(4, seed=1)


def states(sessions: Sessions, source: Sequence[int], **chosen: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """As the inspector asks for them, without a server."""
    wanted = WantedOutputs(cause="states", **chosen)
    request = AttendRequest(handle=0, pairs=((tuple(source), (3,)),), wanted=wanted)
    return run_pass(sessions, request).pairs[0].layers


@torch.inference_mode()
def states_in_torch(model: Transformer, source: Sequence[int]) -> tuple[list[Tensor], ...]:
    """Queries, keys, values, activations and the residual stream, layer by layer."""
    found: tuple[list[Tensor], ...] = ([], [], [], [], [])
    *projections, activations, stream = found
    hidden = model.source_positions(model.source_embedding(torch.tensor([source])))
    stream.append(hidden)
    for layer in cast("Iterator[EncoderLayer]", model.encoder.layers):
        attention, network = layer.self_attention, layer.feed_forward
        inputs = layer._before(layer.self_attention_norm, hidden)
        for name, values in zip(("query", "key", "value"), projections, strict=True):
            values.append(getattr(attention, name)(inputs).unflatten(-1, (attention.num_heads, -1)))
        outputs, _ = attention(inputs, attention.keys_and_values(inputs), None)
        stream.append(layer._after(layer.self_attention_norm, hidden, outputs))
        activations.append(
            network.activation(network.inner(layer._before(layer.feed_forward_norm, stream[-1])))
        )
        hidden, _ = layer(hidden, None)
        stream.append(hidden)
    return found


def assert_as_in_torch(sessions: Sessions, model: Transformer, source: Sequence[int]) -> None:
    *projections, activations, norms = states(sessions, source)
    *expected, bent, stream = states_in_torch(model.eval(), source)
    for found, by_layer in zip(projections, expected, strict=True):
        values = torch.cat(by_layer).transpose(1, 2)  # [layers, heads, source, head_dim]
        np.testing.assert_allclose(found, values, atol=1e-4)
    np.testing.assert_allclose(activations, torch.cat(bent), atol=1e-4)
    np.testing.assert_allclose(norms, torch.cat(stream).norm(dim=-1), rtol=1e-5)


@pytest.mark.parametrize("kind", ALL_KINDS.values(), ids=list(ALL_KINDS))
def test_random_networks(kind: dict[str, Any], tmp_path: Path) -> None:
    model = random_transformer(**kind)
    sessions = open_graphs(network(model), None, tmp_path / "graphs")
    for source in RANDOM[1:3]:
        assert_as_in_torch(sessions, model, source)


@pytest.mark.parametrize("folder", [tiny().path, EN_DE], ids=["tiny", "en-de"])
def test_trained_networks(folder: Path, tmp_path: Path) -> None:
    """The networks of bundles, their weights dequantised."""
    bundle = read_bundle(folder)
    model = network_of_bundle(bundle)
    sessions = open_graphs(
        network_of(model, max_source=24, max_target=24), None, tmp_path / "graphs"
    )
    assert_as_in_torch(sessions, model, sentence(bundle))


def sentence(bundle: Bundle) -> list[int]:
    if bundle.path == tiny().path:
        return list(tiny_sources(1)[0])
    return list(
        bundle.tokenizer.encode_source("The weather is nice today.", bundle.manifest.pairs[0])
    )


def test_the_served_arithmetic_is_shown(tmp_path: Path) -> None:
    """With int8, queries and keys give the weights of the attention graph; a choice is a part."""
    model = network(random_transformer())
    given = list(zip(random_ids(20, seed=3), random_ids(20, seed=4), strict=True))
    sessions = open_graphs(model, calibrate(model, given), tmp_path / "graphs")
    for source in RANDOM:
        queries, keys, values, activations, norms = everything = states(sessions, source)
        scores = queries @ keys.swapaxes(-1, -2) / np.sqrt(queries.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        (maps,) = attend(sessions, [source], [[3]])
        np.testing.assert_allclose(
            weights / weights.sum(axis=-1, keepdims=True), maps.encoder, atol=1e-6
        )
        assert activations.min() == 0 < activations.max()
        part = states(sessions, source, layers=(1,), heads=(1, 0))
        for some, every in zip(part, everything[:3], strict=False):
            np.testing.assert_array_equal(some, every[1:][:, ::-1])
        np.testing.assert_array_equal(part[3], activations[1:])
        np.testing.assert_array_equal(part[4], norms)
        assert values.shape == queries.shape


def test_the_graph_of_the_embedded_bundle_is_small() -> None:
    attention = onnx.load(EN_DE / ATTENTION_NAME, load_external_data=False)
    graph = build_states(attention, read_bundle(EN_DE).manifest.architecture)
    assert graph.graph.name == STATES_NAME.partition(".")[0]
    assert graph.ByteSize() < 100_000
