import copy

import pytest
import torch

from model.training.optimization.muon import Fp32Muon, orthogonalised


def optimizer_of(weights: list[torch.Tensor], kind: type[torch.optim.Muon]) -> torch.optim.Muon:
    return kind(weights, lr=0.1, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")


def matrices() -> list[torch.Tensor]:
    """Wide, tall and square, and one without a gradient."""
    torch.manual_seed(1)
    return [torch.randn(shape) for shape in ((8, 24), (24, 8), (16, 16), (4, 4))]


def give_gradients(weights: list[torch.Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weight in weights[:-1]:
        weight.grad = torch.randn(weight.shape, generator=generator)


def test_it_makes_the_steps_of_torch_but_for_the_rounding_of_bfloat16() -> None:
    ours, theirs, before = matrices(), matrices(), matrices()
    optimizers = optimizer_of(ours, Fp32Muon), optimizer_of(theirs, torch.optim.Muon)
    for step in range(3):
        for weights, optimizer in zip((ours, theirs), optimizers, strict=True):
            give_gradients(weights, step)
            optimizer.step()
    for mine, other, old in zip(ours, theirs, before, strict=True):
        moved = (other - old).abs().max()
        assert (mine - other).abs().max() <= 0.05 * moved


def test_a_run_may_go_on_with_the_optimizer_of_torch() -> None:
    ours, theirs = matrices(), matrices()
    optimizer, reference = optimizer_of(ours, Fp32Muon), optimizer_of(theirs, torch.optim.Muon)
    give_gradients(ours, 0)
    optimizer.step()
    reference.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    moments = [reference.state[weight]["momentum_buffer"] for weight in theirs[:-1]]
    expected = [optimizer.state[weight]["momentum_buffer"] for weight in ours[:-1]]
    assert all(map(torch.equal, moments, expected))


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16)])
def test_the_singular_values_become_about_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    found = orthogonalised(
        torch.randn(shape), coefficients=(3.4445, -4.7750, 2.0315), num_steps=5, epsilon=1e-7
    )
    assert found.shape == shape
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.3
    assert values.max() < 1.3
