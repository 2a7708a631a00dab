"""Runs a model with CTranslate2, which the import is compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np

from export.graphs.builder import MASKED_SCORE
from export.verification.original_program import BeamTranslation, GreedyTranslation, Ids


class CTranslate2Original:
    """`OriginalProgram` of models in CTranslate2's format."""

    def __init__(
        self,
        folder: Path,
        source_pieces: Sequence[str],
        target_pieces: Sequence[str],
        *,
        vocab_size: int,
        added_start: str | None = None,
        added_end: str | None,
        end: str,
        is_unknown_possible: bool = True,
    ) -> None:
        """Load a model; its folder is not read again.

        Args:
            folder: Folder of the model.
            source_pieces: By id.
            target_pieces: By id.
            vocab_size: Target pieces of the bundle's graphs, which may have more.
            added_start: Piece that CTranslate2 itself puts before a source, if any.
            added_end: Piece that it puts behind a source, if any.
            end: End token of a target.
            is_unknown_possible: False: the unknown token is never generated.
        """
        self._translator: Any = ctranslate2.Translator(
            str(folder), device="cpu", compute_type="float32", intra_threads=1
        )
        self._source_pieces = source_pieces
        self._target_ids = {piece: i for i, piece in enumerate(target_pieces)}
        self._vocab_size = vocab_size
        self._num_added = (int(added_start is not None), int(added_end is not None))
        self._end = end
        self._is_unknown_possible = is_unknown_possible

    @property
    def implementation(self) -> str:
        """See `OriginalProgram`."""
        return f"ctranslate2 {ctranslate2.__version__}"

    def greedy(self, sources: Ids, max_tokens: int) -> list[GreedyTranslation]:
        """See `OriginalProgram`."""
        found = self._translate(sources, 1, max_tokens, return_logits_vocab=True)
        return [
            GreedyTranslation(
                target_ids=self._ids(result),
                logits=self._logits(result.logits[0], self._ids(result)),
            )
            for result in found
        ]

    def beam(self, sources: Ids, beam_size: int, max_tokens: int) -> list[BeamTranslation]:
        """See `OriginalProgram`."""
        found = self._translate(sources, beam_size, max_tokens, return_scores=True)
        return [
            BeamTranslation(target_ids=self._ids(result), log_prob=float(result.scores[0]))
            for result in found
        ]

    def _translate(
        self, sources: Ids, beam_size: int, max_tokens: int, **more: bool
    ) -> Sequence[Any]:
        found: Sequence[Any] = self._translator.translate_batch(
            [self._tokens(ids) for ids in sources],
            beam_size=beam_size,
            length_penalty=0.0,
            patience=2.0,
            max_decoding_length=max_tokens,
            min_decoding_length=0,
            max_input_length=0,
            return_end_token=True,
            disable_unk=not self._is_unknown_possible,
            **more,
        )
        return found

    def _tokens(self, source_ids: Sequence[int]) -> list[str]:
        begin, end = self._num_added
        return [self._source_pieces[i] for i in source_ids[begin : len(source_ids) - end]]

    def _ids(self, result: Any) -> tuple[int, ...]:  # noqa: ANN401
        return tuple(self._target_ids[piece] for piece in result.hypotheses[0])

    def _logits(self, rows: Any, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:  # noqa: ANN401
        logits = np.stack([np.asarray(row) for row in rows])[: len(ids)]
        missing = self._vocab_size - logits.shape[1]
        return np.pad(logits, ((0, 0), (0, missing)), constant_values=MASKED_SCORE)
