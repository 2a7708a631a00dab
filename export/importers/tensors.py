"""Tensors out of foreign files, by name, with all faults at once; code in them is never run."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.errors import ExportError
from export.importers.shells import shells_for
from export.network import Float32

SAFE_NAME = "model.safetensors"
PICKLED_NAME = "pytorch_model.bin"
Shape = tuple[int | None, ...]
"""None: any."""


def read_safetensors(path: Path) -> dict[str, Float32]:
    """Every tensor of a file, in float32.

    Raises:
        ExportError: It cannot be read.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ExportError(
            f"{path}: reading it takes safetensors: pip install 'pellucid[import]'"
        ) from error
    try:
        return as_float32(load_file(path))
    except (OSError, SafetensorError) as error:
        raise ExportError(f"{path} cannot be read, it may be cut short: {error}") from error


def read_pickled(path: Path) -> dict[str, Float32]:
    """Every tensor of a state dict that torch saved, in float32; anything but tensors is refused.

    Raises:
        ExportError: It cannot be read, or is more than a state dict.
    """
    state = load_pickled(path)
    if not isinstance(state, Mapping):
        raise ExportError(f"{path}: a {type(state).__name__}, not a state dict")
    return as_float32({n: t for n, t in state.items() if isinstance(t, torch.Tensor)})


def load_pickled(path: Path, shells: Sequence[str] = ()) -> Any:  # noqa: ANN401
    """What torch saved, if it is plain values and tensors.

    Args:
        path: Of the file.
        shells: Classes that may be in it, and are replaced; see `importers.shells`.

    Raises:
        ExportError: It holds code, or cannot be read.
    """
    try:
        with shells_for(shells):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ExportError(
            f"{path} holds more than tensors and plain values, and code in a checkpoint is not "
            "run; or it is cut short"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise ExportError(f"{path} cannot be read, it may be cut short: {first}") from error


def read_npz(path: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Every array of a NumPy archive, as it is.

    Raises:
        ExportError: It cannot be read, or an array of objects is in it.
    """
    import zipfile
    import zlib

    try:
        # Opened here: NumPy leaves a file open that is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
        raise ExportError(f"{path} cannot be read, it may be cut short: {error}") from error


class TensorReader:
    """Takes what is expected out of a checkpoint, and remembers what was not as expected."""

    def __init__(self, tensors: Mapping[str, Float32], where: str) -> None:
        self._tensors = tensors
        self._where = where
        self._missing: list[str] = []
        self._wrong: list[str] = []
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, names: str | Sequence[str], shape: Shape) -> Float32:
        """The first of `names` that there is; zeros where it is missing or has another shape."""
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
        """What may be left out: zeros then."""
        return self.take(name, shape) if name in self else _zeros(shape)

    def check(self) -> None:
        """Refuse the checkpoint if anything was amiss.

        Raises:
            ExportError: With every tensor that is missing, has another shape or is no number.
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
            raise ExportError(f"{self._where}: {'; '.join(faults)}")

    def check_all_taken(self) -> None:
        """Refuse a checkpoint with more than was taken: nobody looked at what that is for.

        Raises:
            ExportError: With every tensor that is left over.
        """
        left_over = [name for name in self._tensors if name not in self._taken]
        if left_over:
            raise ExportError(
                f"{self._where} is not supported: {', '.join(left_over)} belong to parts of the "
                "network that there are no graphs for"
            )


def as_float32(tensors: Mapping[str, torch.Tensor]) -> dict[str, Float32]:
    """Arrays of all tensors."""
    return {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}


def _fits(found: tuple[int, ...], wanted: Shape) -> bool:
    same = (w is None or f == w for f, w in zip(found, wanted, strict=False))
    return len(found) == len(wanted) and all(same)


def _zeros(shape: Shape) -> Float32:
    return np.zeros([size or 1 for size in shape], dtype=np.float32)


def _dimensions(shape: Shape) -> str:
    return "x".join("any" if size is None else str(size) for size in shape) or "a number"
