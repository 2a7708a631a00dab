"""The processes that share one run: this one alone, or those that torchrun has started."""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from model.errors import ConfigError

PATIENCE = datetime.timedelta(hours=6)
"""The others wait while the first one prepares the data or validates."""
CPU = torch.device("cpu")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Which of them this is. All do the same, each on its share of every update."""

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def is_first(self) -> bool:
        """Whether this one speaks, validates and writes for all."""
        return self.rank == 0

    def check_shares(self, num_batches: int) -> None:
        """See whether they can share out the batches of an update evenly.

        Raises:
            ConfigError: They cannot.
        """
        if num_batches % self.count:
            fault = f"{num_batches} is no multiple of the {self.count} processes"
            raise ConfigError("training.batches_per_update", [fault])

    def share(self, batches: Sequence[_T]) -> Sequence[_T]:
        """Those of an update's batches that are this process's."""
        return batches[self.rank :: self.count]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace fp32 `tensors` by their sums over all processes, in one message."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def of_first(self, values: Sequence[float]) -> list[float]:
        """What the first process has given as `values`."""
        if self.count == 1:
            return list(values)
        agreed = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(agreed, src=0)
        return [float(value) for value in agreed.tolist()]

    def random_states(self) -> Tensor:
        """Where each process is in its random numbers, uint8 [processes, size]."""
        state = self._random_state()
        if self.count == 1:
            return state[None]
        states = [torch.empty_like(state, device=self.device) for _ in range(self.count)]
        dist.all_gather(states, state.to(self.device))
        return torch.stack(states).cpu()

    def set_random_state(self, states: Tensor) -> None:
        """Go on from this process's of `states`; on another kind of device they begin anew."""
        each = states if states.dim() == 2 else states[None]  # of one process, in earlier versions
        if self.rank >= len(each) or each[self.rank].shape != self._random_state().shape:
            return
        state = each[self.rank].clone()  # torch reads nothing but whole tensors here
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state, self.device)
        else:
            torch.set_rng_state(state)

    def _random_state(self) -> Tensor:
        is_cuda = self.device.type == "cuda"
        return torch.cuda.get_rng_state(self.device) if is_cuda else torch.get_rng_state()

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def joined_processes(device: str | None = None) -> Iterator[Processes]:
    """Join the processes that torchrun has started; without it there is only this one.

    Args:
        device: `cpu` or `cuda`; None: the accelerators if there are any.

    Raises:
        ConfigError: There is no such device.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device", ["torch sees no CUDA device: leave it out to use the CPU"])
    if not dist.is_torchelastic_launched():
        yield Processes(device=torch.device(kind))
        return
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=PATIENCE)
    try:
        local = torch.device(kind, dist.get_node_local_rank()) if kind == "cuda" else None
        if local is not None:
            torch.cuda.set_device(local)
        rank, count = dist.get_rank(), dist.get_world_size()
        yield Processes(rank=rank, count=count, device=local or torch.device(kind))
    finally:
        dist.destroy_process_group()
