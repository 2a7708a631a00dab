"""The processes of one run: a single one, or those that torchrun started."""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from model.errors import ConfigError

COLLECTIVE_TIMEOUT = datetime.timedelta(hours=6)
"""Long, because the other processes wait while the first prepares the data or validates."""
CPU = torch.device("cpu")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Rank of this process and their number. Each computes its share of every update."""

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def is_first(self) -> bool:
        """Whether this process logs, validates and writes files for all."""
        return self.rank == 0

    def check_shares(self, num_batches: int) -> None:
        """Check that the batches of an update divide evenly among the processes.

        Raises:
            ConfigError: They do not.
        """
        if num_batches % self.count:
            fault = f"{num_batches} is no multiple of the {self.count} processes: change either"
            raise ConfigError("training.batches_per_update", [fault])

    def share(self, batches: Sequence[_T]) -> Sequence[_T]:
        """The batches of an update that this process computes."""
        return batches[self.rank :: self.count]

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Replace fp32 `tensors` by their sums over all processes, in one message."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def broadcast(self, values: Sequence[float]) -> list[float]:
        """The `values` of the first process."""
        if self.count == 1:
            return list(values)
        agreed = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(agreed, src=0)
        return [float(value) for value in agreed.tolist()]

    def random_states(self) -> Tensor:
        """State of each process's random generator, uint8 [processes, size]."""
        state = self._random_state()
        if self.count == 1:
            return state[None]
        states = [torch.empty_like(state, device=self.device) for _ in range(self.count)]
        dist.all_gather(states, state.to(self.device))
        return torch.stack(states).cpu()

    def set_random_state(self, states: Tensor) -> None:
        """Restore this process's of `states`; ignored on another kind of device."""
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
        """Wait until all processes have called this."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def joined_processes(device: str | None = None) -> Iterator[Processes]:
    """Join the process group that torchrun started; without torchrun there is a single process.

    Args:
        device: `cpu` or `cuda`; None: the accelerators if there are any.

    Raises:
        ConfigError: The device is not available.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device", ["torch sees no CUDA device: leave it out to use the CPU"])
    if not dist.is_torchelastic_launched():
        yield Processes(device=torch.device(kind))
        return
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=COLLECTIVE_TIMEOUT)
    try:
        local = torch.device(kind, dist.get_node_local_rank()) if kind == "cuda" else None
        if local is not None:
            torch.cuda.set_device(local)
        rank, count = dist.get_rank(), dist.get_world_size()
        yield Processes(rank=rank, count=count, device=local or torch.device(kind))
        # Gloo may abort a process whose peer closes its connections first.
        dist.barrier()
    finally:
        dist.destroy_process_group()
