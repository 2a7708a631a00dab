"""Files that are no checkpoint, among them those that libraries advise to load unsafely."""

import io
import pickle
import tarfile

import numpy as np
import torch

from tests.export.networks import random_transformer


class _Code:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise AssertionError('code in a file was run')",)


def _saved(content: object, *, is_zip: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def _numpy(content: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([content], dtype=object), allow_pickle=True)
    return file.getvalue()


def _npz(content: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, objects=np.array([content], dtype=object))
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return file.getvalue()


def _half_of_a_model() -> bytes:
    content = _saved(random_transformer().state_dict())
    return content[: len(content) // 2]


WRONG_FILES = {
    "text": b"not a model\n",
    "empty": b"",
    "zeros": bytes(1000),
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a pickle": pickle.dumps({"model": 1}),
    "a pickle of code": pickle.dumps(_Code()),
    "torch, code": _saved({"model": _Code()}),
    "torch, old form, code": _saved({"model": _Code()}, is_zip=False),
    "torch, a number": _saved(1),
    "torch, cut short": _half_of_a_model(),
    "an archive of old torch": _tar(),
    "NumPy, objects": _numpy({}),
    "NumPy, archive of objects": _npz({}),
}
ADVICE = ("weights_only", "allow_pickle", "safe_globals", "trust", "unsafe", "arbitrary code")
"""Words of libraries that advise to load a file unsafely."""
