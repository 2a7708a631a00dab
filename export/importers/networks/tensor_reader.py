"""Takes the expected tensors out of a checkpoint, and reports every fault at once."""

from collections.abc import Mapping, Sequence

import numpy as np

from export.errors import ExportError
from export.network import Float32

Shape = tuple[int | None, ...]
"""None: any size."""


class TensorReader:
    """Takes tensors by name and shape; `check` then raises for all that were not as expected."""

    def __init__(self, tensors: Mapping[str, Float32], path: object) -> None:
        """Read from `tensors`; `path` is where they come from, for error messages."""
        self._tensors = tensors
        self._path = path
        self._missing: list[str] = []
        self._wrong: list[str] = []
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, names: str | Sequence[str], shape: Shape) -> Float32:
        """The first of `names` that exists; zeros where none does, or its shape is another."""
        names = (names,) if isinstance(names, str) else names
        name = next((n for n in names if n in self._tensors), None)
        if name is None:
            self._missing.append(" or ".join(names))
            return _zeros(shape)
        self._taken.add(name)
        found = self._tensors[name]
        if not _fits(found.shape, shape):
            self._wrong.append(f"{name} is {_dimensions(found.shape)}, not {_dimensions(shape)}")
            return _zeros(shape)
        return np.ascontiguousarray(found, dtype=np.float32)

    def take_or_zeros(self, name: str, shape: tuple[int, ...]) -> Float32:
        """An optional tensor; zeros where it is missing."""
        return self.take(name, shape) if name in self else _zeros(shape)

    def take_module(
        self, theirs: str, ours: str, shape: tuple[int, ...], *, needs_bias: bool = True
    ) -> dict[str, Float32]:
        """Weight and bias of a linear layer or a normalisation, by our names.

        Args:
            theirs: Name of the module in the checkpoint.
            ours: Its name in our state dict.
            shape: Of the weight; the bias has its first axis.
            needs_bias: Else a missing bias is zeros.
        """
        take_bias = self.take if needs_bias else self.take_or_zeros
        return {
            f"{ours}.weight": self.take(f"{theirs}.weight", shape),
            f"{ours}.bias": take_bias(f"{theirs}.bias", shape[:1]),
        }

    def check(self) -> None:
        """Refuse the checkpoint if anything was not as expected.

        Raises:
            ExportError: With every tensor that is missing, has another shape or is not finite.
        """
        broken = [n for n, values in self._tensors.items() if not np.isfinite(values).all()]
        faults = [
            f"{fault}: {', '.join(dict.fromkeys(names))}"
            for fault, names in (
                ("missing", self._missing),
                ("of another shape", self._wrong),
                ("NaN or infinite", broken),
            )
            if names
        ]
        if faults:
            raise ExportError(f"{self._path}: {'; '.join(faults)}")

    def check_all_taken(self) -> None:
        """Refuse a checkpoint with tensors that were not taken: the graphs would ignore them.

        Raises:
            ExportError: With every tensor that is left over.
        """
        left_over = [name for name in self._tensors if name not in self._taken]
        if left_over:
            raise ExportError(
                f"{self._path} is not supported: {', '.join(left_over)} belong to parts of the "
                "network that there are no graphs for"
            )


def _fits(found: tuple[int, ...], wanted: Shape) -> bool:
    same = (w is None or f == w for f, w in zip(found, wanted, strict=False))
    return len(found) == len(wanted) and all(same)


def _zeros(shape: Shape) -> Float32:
    return np.zeros([size or 1 for size in shape], dtype=np.float32)


def _dimensions(shape: Shape) -> str:
    return "x".join("any" if size is None else str(size) for size in shape) or "a number"
