"""One cached step of beams: the last tokens of all live rows in, the best next ones out."""

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
from service.engine.cache.beam_cache import BeamCache
from service.engine.graphs.binding import Buffers, bind, layer_buffers
from service.engine.graphs.candidates import RankedBuffers, RankedTokens
from service.engine.graphs.sessions import Sessions

MAX_BINDINGS = 512
"""Bindings that are kept, one for every combination of rows, sources and candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """A combination: its binding, and views of what every step reads and writes."""

    binding: ort.IOBinding
    positions: NDArray[np.int32]
    source_lengths: NDArray[np.int32]
    ranked: RankedTokens


class BeamsStep:
    """Runs the graph of beams on a prefix of a cache's rows and sources."""

    def __init__(self, sessions: Sessions, cache: BeamCache) -> None:
        """Allocate inputs and outputs."""
        self._session = sessions.beams
        self._cache = cache
        self._vocab_size = sessions.bundle.manifest.architecture.vocab_size
        self._total = np.zeros(1, dtype=np.int32)
        self._source_total = np.zeros(1, dtype=np.int32)
        self._num_candidates = np.zeros(1, dtype=np.int64)
        self._buffers = RankedBuffers(cache.num_slots, self._vocab_size)
        self._bound: dict[tuple[int, int, int], _Bound] = {}
        self.input_ids = np.zeros((cache.num_slots, 1), dtype=np.int64)
        """Last token of every row, int64 [slots, 1]; the caller writes it before `run`."""

    def run(self, num_candidates: int) -> RankedTokens:
        """Feed `input_ids` of all live rows, and append their keys and values to the cache.

        Args:
            num_candidates: Tokens to rank of every row, 1 to `MAX_CANDIDATES`.

        Returns:
            The best next tokens; valid until the next call.
        """
        count = min(num_candidates, self._vocab_size)
        key = (self._cache.num_live, self._cache.num_sources, count)
        bound = self._bound.get(key) or self._keep(key)
        self._num_candidates[0] = count
        np.maximum.reduce(bound.positions, keepdims=True, out=self._total)
        self._total += 1
        np.maximum.reduce(bound.source_lengths, keepdims=True, out=self._source_total)
        self._session.run_with_iobinding(bound.binding)
        positions = bound.positions
        positions += 1
        return bound.ranked

    def _keep(self, key: tuple[int, int, int]) -> _Bound:
        if len(self._bound) >= MAX_BINDINGS:
            self._bound.clear()
        bound = self._bound[key] = self._bind(*key)
        return bound

    def _bind(self, rows: int, sources: int, count: int) -> _Bound:
        cache, ranked = self._cache, self._buffers.first(rows, count)
        inputs: Buffers = {
            "input_ids": self.input_ids[:rows],
            "positions": cache.positions[:rows],
            "total": self._total,
            "source_lengths": cache.source_lengths[:sources],
            "source_total": self._source_total,
            **layer_buffers(cache.past, rows, past_key, past_value),
            **layer_buffers(cache.cross, sources, cross_key, cross_value),
            "place_heads": cache.place_heads[:sources],
            "row_heads": cache.row_heads[:rows],
            "num_candidates": self._num_candidates,
        }
        outputs = {
            **ranked.buffers,
            **layer_buffers(cache.past, rows, present_key, present_value),
            **layer_buffers(cache.cross, sources, present_cross_key, present_cross_value),
        }
        return _Bound(
            binding=bind(self._session, inputs, outputs),
            positions=cache.positions[:rows],
            source_lengths=cache.source_lengths[:sources],
            ranked=ranked,
        )
