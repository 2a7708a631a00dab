"""One cached decoder step over all live rows, bound by pointer: inputs in, logits out."""

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.tensors import (
    cross_key,
    cross_value,
    past_key,
    past_value,
    present_key,
    present_value,
)
from service.engine.sessions import Sessions
from service.engine.slot_cache import SlotCache

TensorName = Callable[[int], str]


class DecoderStep:
    """Runs the decoder graph on a prefix of a cache's rows.

    Every buffer keeps its address, so a binding is made once per number of rows and used again.
    """

    def __init__(self, sessions: Sessions, cache: SlotCache) -> None:
        architecture = sessions.bundle.manifest.architecture
        self._session = sessions.decoder
        self._num_layers = architecture.num_decoder_layers
        self._cache = cache
        self._total = np.zeros(1, dtype=np.int32)
        self._source_total = np.zeros(1, dtype=np.int32)
        self._logits = np.zeros((cache.num_slots, architecture.vocab_size), dtype=np.float32)
        self._bindings: dict[int, ort.IOBinding] = {}
        self.input_ids = np.zeros((cache.num_slots, 1), dtype=np.int64)
        """Newest token of every row, int64 [slots, 1]; the caller writes it before `run`."""

    def run(self) -> NDArray[np.float32]:
        """Feed `input_ids` of all live rows and cache what they attended with.

        Returns:
            Logits of the next token, float32 [rows, vocab]; valid until the next call.
        """
        rows = self._cache.num_live
        self._total[0] = self._cache.positions[:rows].max() + 1
        self._source_total[0] = self._cache.source_lengths[:rows].max()
        if rows not in self._bindings:
            self._bindings[rows] = self._bind(rows)
        self._session.run_with_iobinding(self._bindings[rows])
        self._cache.positions[:rows] += 1
        return self._logits[:rows]

    def _bind(self, rows: int) -> ort.IOBinding:
        binding = self._session.io_binding()
        for name, buffer in self._inputs(rows).items():
            binding.bind_input(name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
        for name, buffer in self._outputs(rows).items():
            binding.bind_output(name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
        return binding

    def _inputs(self, rows: int) -> dict[str, NDArray[np.generic]]:
        cache = self._cache
        return {
            "input_ids": self.input_ids[:rows],
            "positions": cache.positions[:rows],
            "total": self._total,
            "source_lengths": cache.source_lengths[:rows],
            "source_total": self._source_total,
            **self._layers(cache.past, rows, past_key, past_value),
            **self._layers(cache.cross, rows, cross_key, cross_value),
        }

    def _outputs(self, rows: int) -> dict[str, NDArray[np.generic]]:
        present = self._layers(self._cache.past, rows, present_key, present_value)
        return {"logits": self._logits[:rows], **present}

    def _layers(
        self,
        buffers: list[NDArray[np.float32]],
        rows: int,
        key: TensorName,
        value: TensorName,
    ) -> dict[str, NDArray[np.generic]]:
        names = [name(layer) for layer in range(self._num_layers) for name in (key, value)]
        return {name: buffer[:rows] for name, buffer in zip(names, buffers, strict=True)}
