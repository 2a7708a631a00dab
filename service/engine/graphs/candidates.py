"""The candidates graph: log-probabilities of the logits, and the best tokens of every row."""

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from service.engine.graphs.binding import Buffers, bind
from service.engine.graphs.sessions import Sessions
from service.engine.search.options import MAX_BEAM_SIZE

MAX_CANDIDATES = 2 * MAX_BEAM_SIZE
"""Most tokens of a row that a search may rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedTokens:
    """Log-probabilities of one step; the arrays are views, valid until the next step."""

    log_probs: NDArray[np.float32]
    """Log-probability of every token, nats, float32 [rows, vocab]."""
    top_log_probs: NDArray[np.float32]
    """Log-probabilities of the best tokens, best first, float32 [rows, candidates]."""
    top_ids: NDArray[np.int64]
    """Ids of those tokens, the lower id first among equals, int64 [rows, candidates]."""

    @property
    def buffers(self) -> Buffers:
        """The arrays by the names of the outputs."""
        return {
            "log_probs": self.log_probs,
            "top_log_probs": self.top_log_probs,
            "top_ids": self.top_ids,
        }


class RankedBuffers:
    """What `RankedTokens` are views of."""

    def __init__(self, num_slots: int, vocab_size: int) -> None:
        """Allocate the outputs of at most `num_slots` rows."""
        self._log_probs = np.zeros((num_slots, vocab_size), dtype=np.float32)
        # Flat: a run fills [rows, candidates] without gaps, however many candidates there are.
        self._top_log_probs = np.zeros(num_slots * MAX_CANDIDATES, dtype=np.float32)
        self._top_ids = np.zeros(num_slots * MAX_CANDIDATES, dtype=np.int64)

    def first(self, rows: int, count: int) -> RankedTokens:
        """Views of the first rows, with `count` candidates each."""
        return RankedTokens(
            log_probs=self._log_probs[:rows],
            top_log_probs=self._top_log_probs[: rows * count].reshape(rows, count),
            top_ids=self._top_ids[: rows * count].reshape(rows, count),
        )


class CandidatesStep:
    """Runs the candidates graph on a prefix of a logits buffer, bound by pointer."""

    def __init__(self, sessions: Sessions, logits: NDArray[np.float32]) -> None:
        """Allocate the outputs.

        Args:
            sessions: Sessions of the bundle.
            logits: The decoder step's output buffer, float32 [slots, vocab].
        """
        self._session = sessions.candidates
        self._logits = logits
        self._num_candidates = np.zeros(1, dtype=np.int64)
        self._buffers = RankedBuffers(*logits.shape)
        self._bound: dict[tuple[int, int], tuple[ort.IOBinding, RankedTokens]] = {}

    def run(self, rows: int, num_candidates: int) -> RankedTokens:
        """Rank the tokens of the first `rows` rows; `num_candidates` is 1 to `MAX_CANDIDATES`."""
        count = min(num_candidates, self._logits.shape[1])
        self._num_candidates[0] = count
        if (rows, count) not in self._bound:
            ranked = self._buffers.first(rows, count)
            self._bound[rows, count] = (self._bind(rows, ranked), ranked)
        binding, ranked = self._bound[rows, count]
        self._session.run_with_iobinding(binding)
        return ranked

    def _bind(self, rows: int, ranked: RankedTokens) -> ort.IOBinding:
        inputs: Buffers = {"logits": self._logits[:rows], "num_candidates": self._num_candidates}
        return bind(self._session, inputs, ranked.buffers)
