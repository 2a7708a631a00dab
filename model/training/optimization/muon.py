"""Muon for CPUs without bfloat16: torch's orthogonalises in bfloat16 alone."""

import math

import torch
from torch import Tensor


class Fp32Muon(torch.optim.Muon):
    """torch's Muon with Nesterov momentum and `match_rms_adamw`, orthogonalising in fp32.

    Its state is that of torch's, so that a run may resume on a machine that uses the other.
    """

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # it is never given a closure
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state, momentum = self.state[matrix], group["momentum"]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(matrix.grad)
                average = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                update = orthogonalised(
                    matrix.grad.lerp(average, momentum),
                    coefficients=group["ns_coefficients"],
                    num_steps=group["ns_steps"],
                    epsilon=group["eps"],
                )
                size = 0.2 * math.sqrt(max(matrix.shape))
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * size)


def orthogonalised(
    matrix: Tensor, *, coefficients: tuple[float, float, float], num_steps: int, epsilon: float
) -> Tensor:
    """The matrix with all singular values near 1, by the quintic Newton-Schulz iteration.

    Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks".

    Args:
        matrix: fp32 [rows, columns].
        coefficients: Of the first, third and fifth power.
        num_steps: Iterations.
        epsilon: Lower bound of the norm that it is divided by.
    """
    first, third, fifth = coefficients
    is_tall = matrix.shape[0] > matrix.shape[1]
    found = matrix.T if is_tall else matrix  # the smaller of the two products of itself
    found = found / found.norm().clamp(min=epsilon)
    for _ in range(num_steps):
        gram = found @ found.T
        powers = torch.addmm(gram, gram, gram, beta=third, alpha=fifth)
        found = torch.addmm(found, powers, found, beta=first)
    return found.T if is_tall else found
