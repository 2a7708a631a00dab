"""The weights of the last validations, of which a run may end with the mean."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from model.averaging import mean_weights
from model.checkpoint import read, write_atomically


class RecentWeights:
    """A folder with one file for each of the last few steps that were validated."""

    def __init__(self, folder: Path, count: int) -> None:
        """Keep `count` of them in `folder`; with 0 nothing is kept."""
        self._folder, self._count = folder, count

    def add(self, step: int, weights: Mapping[str, Tensor]) -> None:
        """Keep the weights of `step`, and no longer the oldest ones."""
        if self._count:
            self._folder.mkdir(exist_ok=True)
            write_atomically(self._folder / f"{step}.pt", dict(weights))
            for old in self._steps()[: -self._count]:
                self._path(old).unlink()

    def forget_after(self, step: int) -> None:
        """Drop later ones: a run that was killed makes those steps once more."""
        for later in self._steps():
            if later > step:
                self._path(later).unlink()

    def mean(self) -> dict[str, Tensor] | None:
        """Their mean by name; None if none is kept."""
        kept = [read(self._path(step)) for step in self._steps()]
        return mean_weights(kept) if kept else None

    def _steps(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.pt"))

    def _path(self, step: int) -> Path:
        return self._folder / f"{step}.pt"
