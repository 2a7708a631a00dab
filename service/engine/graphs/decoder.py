"""One cached decoder step over all live rows, bound by pointer: inputs in, logits out."""

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.tensors import (
    cross_key,
    cross_value,
    past_key,
    past_value,
    present_cross_key,
    present_cross_value,
    present_key,
    present_value,
)
from service.engine.cache.slot_cache import SlotCache
from service.engine.graphs.binding import Buffers, bind, layer_buffers
from service.engine.graphs.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class _BoundRows:
    """A number of rows: its binding, and views of what every step reads and writes."""

    binding: ort.IOBinding
    positions: NDArray[np.int32]
    source_lengths: NDArray[np.int32]
    logits: NDArray[np.float32]


class DecoderStep:
    """Runs the decoder graph on a prefix of a cache's rows.

    Every buffer keeps its address, so one binding per number of rows is made and reused.
    """

    def __init__(self, sessions: Sessions, cache: SlotCache) -> None:
        architecture = sessions.bundle.manifest.architecture
        self._session = sessions.decoder
        self._cache = cache
        self._total = np.zeros(1, dtype=np.int32)
        self._source_total = np.zeros(1, dtype=np.int32)
        self.logits = np.zeros((cache.num_slots, architecture.vocab_size), dtype=np.float32)
        """Output of the last `run`, float32 [slots, vocab]; rows that were not live are stale."""
        shortlist = sessions.bundle.manifest.shortlist
        num_pieces = shortlist.num_pieces if shortlist else 0
        self._short_logits = np.zeros((cache.num_slots, num_pieces), dtype=np.float32)
        self._is_whole = {choice: np.full(1, choice) for choice in (False, True)}
        self._bound: dict[tuple[int, bool], _BoundRows] = {}
        self.input_ids = np.zeros((cache.num_slots, 1), dtype=np.int64)
        """Last token of every row, int64 [slots, 1]; the caller writes it before `run`."""

    def run(self, *, is_whole: bool = True) -> NDArray[np.float32]:
        """Feed `input_ids` of all live rows, and append their keys and values to the cache.

        Args:
            is_whole: False: only logits of the shortlists; every live row must have one.

        Returns:
            Logits of the next token, float32 [rows, vocab], or [rows, num_pieces] of the
            shortlists; valid until the next call.
        """
        key = (self._cache.num_live, is_whole)
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = self._bind(*key)
        np.maximum.reduce(bound.positions, keepdims=True, out=self._total)
        self._total += 1
        np.maximum.reduce(bound.source_lengths, keepdims=True, out=self._source_total)
        self._session.run_with_iobinding(bound.binding)
        positions = bound.positions
        positions += 1
        return bound.logits

    def _bind(self, rows: int, is_whole: bool) -> _BoundRows:
        logits = (self.logits if is_whole else self._short_logits)[:rows]
        binding = bind(self._session, self._inputs(rows, is_whole), self._outputs(rows, logits))
        return _BoundRows(
            binding=binding,
            positions=self._cache.positions[:rows],
            source_lengths=self._cache.source_lengths[:rows],
            logits=logits,
        )

    def _inputs(self, rows: int, is_whole: bool) -> Buffers:
        cache = self._cache
        return {
            "input_ids": self.input_ids[:rows],
            "positions": cache.positions[:rows],
            "total": self._total,
            "source_lengths": cache.source_lengths[:rows],
            "source_total": self._source_total,
            **layer_buffers(cache.past, rows, past_key, past_value),
            **layer_buffers(cache.cross, rows, cross_key, cross_value),
            **self._shortlist_inputs(rows, is_whole),
        }

    def _shortlist_inputs(self, rows: int, is_whole: bool) -> Buffers:
        shortlist = self._cache.shortlist
        if shortlist is None:
            return {}
        return {
            "whole_vocabulary": self._is_whole[is_whole],
            "shortlist_weights": shortlist.weights[:rows],
            "shortlist_scales": shortlist.scales[:rows],
            "shortlist_biases": shortlist.biases[:rows],
        }

    def _outputs(self, rows: int, logits: NDArray[np.float32]) -> Buffers:
        cache = self._cache
        return {
            "logits": logits,
            **layer_buffers(cache.past, rows, present_key, present_value),
            **layer_buffers(cache.cross, rows, present_cross_key, present_cross_value),
        }
