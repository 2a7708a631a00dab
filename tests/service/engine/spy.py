"""A decoder session that shows what is fed to the real one, and can be made to fail."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.tensors import DECODER_NAME
from service.engine.graphs.sessions import Sessions

Tensors = dict[str, NDArray[Any]]
"""The very memory that a step reads and writes, by name."""


@dataclass(slots=True, kw_only=True)
class Binding:
    """Passes on what is bound, and keeps a view of it."""

    real: Any
    tensors: Tensors = field(default_factory=dict)

    def bind_input(self, name: str, *where: Any) -> None:  # noqa: ANN401 - onnxruntime's own
        self.real.bind_input(name, *where)
        self.tensors[name] = _view(*where[2:])

    def bind_output(self, name: str, *where: Any) -> None:  # noqa: ANN401 - onnxruntime's own
        self.real.bind_output(name, *where)
        self.tensors[name] = _view(*where[2:])


@dataclass(slots=True, kw_only=True)
class DecoderSpy:
    """Runs the real session; `before` and `after` see, change or refuse each step."""

    real: Any
    before: Callable[[Tensors], None] | None = None
    after: Callable[[Tensors], None] | None = None
    num_bindings: int = 0
    fed: list[dict[str, tuple[int, ...]]] = field(default_factory=list)
    """Shapes of every step, by tensor."""

    def io_binding(self) -> Binding:
        self.num_bindings += 1
        return Binding(real=self.real.io_binding())

    def run_with_iobinding(self, binding: Binding) -> None:
        if self.before:
            self.before(binding.tensors)
        self.real.run_with_iobinding(binding.real)
        self.fed.append({name: tensor.shape for name, tensor in binding.tensors.items()})
        if self.after:
            self.after(binding.tensors)


def spied(sessions: Sessions, name: str = DECODER_NAME) -> tuple[Sessions, DecoderSpy]:
    """Sessions of which one is watched, the decoder's by default."""
    spy = DecoderSpy(real=sessions.session(name))
    return sessions.with_session(name, spy), spy


def _view(dtype: type[np.generic], shape: tuple[int, ...], address: int) -> NDArray[Any]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = memoryview((ctypes.c_byte * size).from_address(address)).cast("B")
    return np.frombuffer(memory, dtype=np.dtype(dtype)).reshape(shape)
