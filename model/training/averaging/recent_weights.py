"""Keeps the weights of the last validations, whose mean may be the result of a run."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from model.training.averaging.mean import mean_weights
from model.training.checkpoint import read, write_atomically


class RecentWeights:
    """A folder with one file for each of the last validated steps."""

    def __init__(self, folder: Path, count: int) -> None:
        """Keep at most `count` files in `folder`; 0 keeps none."""
        self._folder, self._count = folder, count

    def add(self, step: int, weights: Mapping[str, Tensor]) -> None:
        """Write the weights of `step` and delete the oldest beyond the count."""
        if self._count:
            self._folder.mkdir(exist_ok=True)
            write_atomically(self._folder / f"{step}.pt", dict(weights))
            for old in self._steps()[: -self._count]:
                self._path(old).unlink()

    def discard_after(self, step: int) -> None:
        """Delete the weights of later steps, which a killed run repeats."""
        for later in self._steps():
            if later > step:
                self._path(later).unlink()

    def mean(self) -> dict[str, Tensor] | None:
        """Mean of the weights kept, by name; None without any."""
        kept = [read(self._path(step)) for step in self._steps()]
        return mean_weights(kept) if kept else None

    def _steps(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.pt"))

    def _path(self, step: int) -> Path:
        return self._folder / f"{step}.pt"
