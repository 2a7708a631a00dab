"""Reads files of tensors: safetensors, `torch.save` and NumPy archives. No code in them is run.

Messages are our own: what these libraries say of a wrong file may advise to load it unsafely.
"""

import pickle
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError
from export.importers.files.pickle_stubs import stubs_for
from export.network import Float32, as_float32

SAFETENSORS_NAME = "model.safetensors"
PICKLED_NAME = "pytorch_model.bin"
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
"""NumPy's names of safetensors' types."""


def read_safetensors(path: Path) -> dict[str, Float32]:
    """Every tensor of a file, in float32.

    Raises:
        ExportError: It cannot be read.
    """
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise ExportError(
            f"{path}: reading it takes safetensors: in a checkout, pip install '.[import]'"
        ) from error
    try:
        tensors = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except (OSError, SafetensorError) as error:
        raise ExportError(f"{path} cannot be read, it may be cut short: {error}") from error
    return {name: _as_float32(tensor) for name, tensor in tensors}


def _as_float32(tensor: Mapping[str, Any]) -> Float32:
    """A tensor of safetensors; bfloat16, which NumPy lacks, is the upper half of a float32."""
    kind, shape, data = tensor["dtype"], tensor["shape"], tensor["data"]
    if kind == "BF16":
        values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(data, _DTYPES[kind]).astype(np.float32)
    return values.reshape(shape)


def read_state_dict(path: Path) -> dict[str, Float32]:
    """Every tensor of a state dict that torch saved, in float32.

    Raises:
        ExportError: It cannot be read, or is no state dict.
    """
    return state_dict_tensors(load_pickled(path), path)


def state_dict_tensors(state: object, path: Path) -> dict[str, Float32]:
    """The tensors of a state dict, in float32.

    Args:
        state: What was read.
        path: Where it was read, for the error message.

    Raises:
        ExportError: It is no state dict.
    """
    if not isinstance(state, Mapping):
        raise ExportError(f"{path}: a {type(state).__name__}, not a state dict")
    return as_float32(state)


def load_pickled(path: Path, stubs: Sequence[str] = ()) -> Any:  # noqa: ANN401
    """Read a file of `torch.save` that holds plain values and tensors.

    Args:
        path: The file.
        stubs: Classes that may be in it, and are replaced; see `files.pickle_stubs`.

    Raises:
        ExportError: It holds code, or cannot be read.
    """
    try:
        import torch
    except ImportError as error:
        raise ExportError(
            f"{path} is a pickle, which takes torch: in a checkout, pip install '.[train,import]'"
        ) from error
    try:
        with stubs_for(stubs), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice is for its own users
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or "not a file of torch.save"
        raise ExportError(f"{path} cannot be read, it may be cut short: {reason}") from error
    except pickle.UnpicklingError as error:
        raise ExportError(
            f"{path} holds more than tensors and plain values, and code in a checkpoint is not "
            "run; or it is cut short"
        ) from error
    except Exception as error:  # unpickling broken bytes can raise any exception
        raise ExportError(
            f"{path} cannot be read, it may be cut short: not a file of torch.save"
        ) from error


def read_npz(path: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Every array of a NumPy archive, as it is.

    Raises:
        ExportError: It cannot be read, or has an array of objects.
    """
    try:
        # Opened here: NumPy leaves a file open that is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        reason = error.strerror or "no archive of NumPy"
        raise ExportError(f"{path} cannot be read, it may be cut short: {reason}") from error
    except (
        AttributeError,  # a single array has no `files`
        EOFError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ExportError(
            f"{path} cannot be read, it may be cut short: no archive of plain NumPy arrays"
        ) from error
