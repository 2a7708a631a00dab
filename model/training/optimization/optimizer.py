"""Updates fp32 weights from the gradients of a model that may compute in bfloat16."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from model.config import TrainingConfig
from model.training.checkpoint import check_weights
from model.training.optimization.bfloat16 import is_emulated
from model.training.optimization.muon import Fp32Muon
from model.transformer import Transformer

ADAM_BETAS = (0.9, 0.98)
"""Vaswani et al. (2017), section 5.3."""


class MasterOptimizer:
    """Adam, or Muon for matrices and Adam for the rest, on fp32 master copies.

    bfloat16 has 8 bits of precision: small updates of the weights themselves would be rounded away.
    The optimizer also keeps the exponential moving average of the masters.
    """

    def __init__(self, model: Transformer, config: TrainingConfig) -> None:
        self._config = config
        self._parameters = dict(model.named_parameters())
        self.masters = {n: p.detach().float().clone() for n, p in self._parameters.items()}
        self.averages = {n: m.clone() for n, m in self.masters.items()}
        self._gradients: dict[str, Tensor] = {}
        self._optimizers = _optimizers(self.masters, config)

    def collect(self) -> list[Tensor]:
        """Add the gradients of the last backward pass to those of the next step, in fp32.

        Returns:
            The sums so far, in an order that depends on the network alone. They may be changed in
            place until `step` uses them.
        """
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                gradient = parameter.grad.float()
                before = self._gradients.get(name)
                self._gradients[name] = gradient if before is None else before.add_(gradient)
                parameter.grad = None
        return [self._gradients[name] for name in self._parameters if name in self._gradients]

    def step(self, learning_rate_factor: float, num_steps: int) -> float:
        """Clip, update the masters and their average, copy them to the model.

        Gradients that are not finite are discarded: one of them would destroy every weight, and
        the moments and averages with them.

        Args:
            learning_rate_factor: Multiplies the peak rates.
            num_steps: Updates made before this one; a young average forgets faster.

        Returns:
            Norm of the gradient before clipping; where it is not finite nothing has changed.
        """
        self.collect()
        for name, master in self.masters.items():
            master.grad = self._gradients.pop(name, None)
        norm = float(
            nn.utils.clip_grad_norm_(self.masters.values(), self._config.max_gradient_norm)
        )
        if math.isfinite(norm):
            self._update(learning_rate_factor, num_steps)
        return norm

    def _update(self, learning_rate_factor: float, num_steps: int) -> None:
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * learning_rate_factor
            optimizer.step()
        decay = min(self._config.average_decay, (1 + num_steps) / (10 + num_steps))
        masters = list(self.masters.values())
        torch._foreach_lerp_(list(self.averages.values()), masters, 1 - decay)
        torch._foreach_copy_([p.detach() for p in self._parameters.values()], masters)

    def load_weights(self, model: Transformer) -> None:
        """Replace the weights by those of `model`, which are fp32.

        Raises:
            CheckpointError: Its architecture differs.
        """
        weights = {name: weight.detach() for name, weight in model.named_parameters()}
        check_weights(self.masters, weights)
        for name, parameter in self._parameters.items():
            self.masters[name].copy_(weights[name])
            self.averages[name].copy_(weights[name])
            parameter.detach().copy_(weights[name])

    def state(self) -> dict[str, Any]:
        """All state that the next step depends on."""
        return {
            "masters": {n: m.detach() for n, m in self.masters.items()},
            "averages": self.averages,
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore `state`, and with it the weights of the model."""
        for name, parameter in self._parameters.items():
            self.masters[name].copy_(state["masters"][name])
            self.averages[name].copy_(state["averages"][name])
            parameter.detach().copy_(state["masters"][name])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def _optimizers(masters: dict[str, Tensor], config: TrainingConfig) -> list[torch.optim.Optimizer]:
    is_muon = config.optimizer == "muon"
    matrices = [m for n, m in masters.items() if is_muon and _is_hidden_matrix(n, m)]
    others = [m for n, m in masters.items() if not (is_muon and _is_hidden_matrix(n, m))]
    adam_group = {"params": others, "peak_lr": config.learning_rate}
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Adam([adam_group], lr=config.learning_rate, betas=ADAM_BETAS, eps=1e-9)
    ]
    if matrices:
        muon_group = {"params": matrices, "peak_lr": config.matrix_learning_rate}
        muon = Fp32Muon if is_emulated(matrices[0].device) else torch.optim.Muon
        optimizers.append(
            muon(
                [muon_group],
                lr=config.matrix_learning_rate,
                weight_decay=0.0,
                momentum=0.95,
                # Scales updates to the size of Adam's, so that one learning rate suits all shapes.
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return optimizers


def _is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    # Scores and distances have tables of numbers per head, which are no linear maps.
    is_table = ".score." in name or ".distance." in name
    return parameter.dim() == 2 and "layers." in name and not is_table
