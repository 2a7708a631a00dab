import copy
import math

import pytest
import torch

from model.architecture import Architecture
from model.config import TrainingConfig
from model.training.optimization.muon import Fp32Muon
from model.training.optimization.optimizer import MasterOptimizer
from model.transformer import Transformer
from tests.model.networks import ARCHITECTURE, CONFIGURATIONS, random_ids, random_network


def config(**changes: object) -> TrainingConfig:
    return TrainingConfig.model_validate({"max_steps": 10, **changes})


def give_gradients(network: Transformer, factor: float = 1.0) -> None:
    network(random_ids(2, 5), None, random_ids(2, 4)).square().mean().mul(factor).backward()


def test_adam_makes_the_step_that_torch_makes() -> None:
    ours, theirs = random_network(), random_network()
    optimizer = MasterOptimizer(ours, config(learning_rate=1e-2))
    reference = torch.optim.Adam(theirs.parameters(), lr=5e-3, betas=(0.9, 0.98), eps=1e-9)
    for step in range(3):
        for network in (ours, theirs):
            give_gradients(network)
        norm = optimizer.step(0.5, step)
        expected = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        reference.step()
        reference.zero_grad()
        assert norm == pytest.approx(float(expected), rel=1e-5)
    torch.testing.assert_close(dict(ours.named_parameters()), dict(theirs.named_parameters()))


def test_a_large_gradient_is_clipped_and_its_true_norm_reported() -> None:
    # Plain Adam forgets the size of a gradient, so only one that meets others can show it.
    norms, steps = [], []
    for factor in (1.0, 1e4):
        network = random_network()
        optimizer = MasterOptimizer(network, config(max_gradient_norm=1e-3))
        give_gradients(network, factor)
        norms.append(optimizer.step(1.0, 0))
        steps.append(
            {n: m.grad.clone() for n, m in optimizer.masters.items() if m.grad is not None}
        )
    assert norms[1] == pytest.approx(1e4 * norms[0], rel=1e-4)
    for clipped in steps:
        total = torch.stack([g.square().sum() for g in clipped.values()]).sum().sqrt()
        assert total.item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    "architecture", [ARCHITECTURE, CONFIGURATIONS["additive, relative"]], ids=["plain", "tables"]
)
def test_muon_updates_hidden_matrices_and_adam_the_rest(architecture: Architecture) -> None:
    first = {}
    for name in ("adam", "muon"):
        network = random_network(architecture)
        optimizer = MasterOptimizer(network, config(optimizer=name))
        give_gradients(network)
        optimizer.step(1.0, 0)
        first[name] = {n: p.detach().clone() for n, p in network.named_parameters()}
    for name, weight in first["adam"].items():
        is_table = name.endswith(("score.weight", "distance.weight"))
        is_hidden_matrix = weight.dim() == 2 and "layers." in name and not is_table
        assert torch.equal(weight, first["muon"][name]) != is_hidden_matrix


@pytest.mark.parametrize("is_emulated", [False, True])
def test_muon_steps_in_fp32_where_bfloat16_is_emulated(
    monkeypatch: pytest.MonkeyPatch, *, is_emulated: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", {"avx512_bf16": not is_emulated}.copy)
    optimizer = MasterOptimizer(random_network(), config(optimizer="muon"))
    assert isinstance(optimizer._optimizers[1], Fp32Muon) == is_emulated


def test_small_updates_are_not_lost_in_bfloat16() -> None:
    network = random_network()
    optimizer = MasterOptimizer(network, config(learning_rate=1e-6))
    before = {name: master.clone() for name, master in optimizer.masters.items()}
    network.bfloat16()
    rounded = {name: p.detach().clone() for name, p in network.named_parameters()}
    for step in range(5):
        give_gradients(network)
        optimizer.step(1.0, step)
    name = "encoder.layers.0.feed_forward.inner.weight"
    moved = (optimizer.masters[name] - before[name]).abs().max()
    assert 1e-6 < moved.item() < 1e-5
    same = dict(network.named_parameters())[name] == rounded[name]
    assert same.float().mean() > 0.9
    assert optimizer.masters[name].dtype == torch.float32


def test_the_average_follows_the_weights_faster_in_the_first_steps() -> None:
    network = random_network()
    optimizer = MasterOptimizer(network, config(average_decay=0.9, learning_rate=0.1))
    name = "output_projection.bias"
    for num_steps, decay in ((0, 0.1), (1000, 0.9)):
        old = optimizer.averages[name].clone()
        give_gradients(network)
        optimizer.step(1.0, num_steps)
        expected = decay * old + (1 - decay) * optimizer.masters[name]
        torch.testing.assert_close(optimizer.averages[name], expected)


@pytest.mark.parametrize("name", ["adam", "muon"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_restored_optimizer_makes_the_same_next_step(name: str, dtype: torch.dtype) -> None:
    network, other = random_network(), random_network(seed=5)
    optimizer = MasterOptimizer(network, config(optimizer=name))
    fresh = MasterOptimizer(other, config(optimizer=name))
    network.to(dtype)
    other.to(dtype)
    for step in range(2):
        give_gradients(network)
        optimizer.step(1.0, step)
    fresh.load_state(copy.deepcopy(optimizer.state()))
    assert all(map(torch.equal, network.parameters(), other.parameters()))
    for each, its_network in ((optimizer, network), (fresh, other)):
        give_gradients(its_network)
        each.step(0.3, 2)
    assert all(map(torch.equal, network.parameters(), other.parameters()))
    assert all(map(torch.equal, optimizer.averages.values(), fresh.averages.values()))


def everything(optimizer: MasterOptimizer, network: Transformer) -> list[torch.Tensor]:
    """Copies of the weights, their masters and averages, and the optimizers' moments."""
    moments = [
        value
        for each in optimizer._optimizers
        for state in each.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    ]
    found = [*network.parameters(), *optimizer.masters.values(), *optimizer.averages.values()]
    return [tensor.detach().clone() for tensor in [*found, *moments]]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["adam", "muon"])
def test_a_gradient_that_is_not_finite_changes_nothing(name: str, value: float) -> None:
    network, untouched = random_network(), random_network()
    optimizers = [MasterOptimizer(each, config(optimizer=name)) for each in (network, untouched)]
    for each, its_network in zip(optimizers, (network, untouched), strict=True):
        give_gradients(its_network)
        each.step(1.0, 0)
    before = everything(optimizers[0], network)
    give_gradients(network)
    gradient = network.encoder.layers[0].get_parameter("feed_forward.inner.weight").grad
    assert gradient is not None
    gradient[3, 2] = value
    assert not math.isfinite(optimizers[0].step(1.0, 1))
    assert all(map(torch.equal, before, everything(optimizers[0], network)))
    for each, its_network in zip(optimizers, (network, untouched), strict=True):
        give_gradients(its_network)
        assert math.isfinite(each.step(1.0, 2))
    assert all(
        map(torch.equal, everything(optimizers[0], network), everything(optimizers[1], untouched))
    )
