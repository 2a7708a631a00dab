"""Greedy and beam search without a cache: the network is run over the whole target every time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from export.verification.original_program import BeamTranslation, GreedyTranslation, Ids


class UncachedSearch(ABC):
    """The searches of an `OriginalProgram` whose network a subclass runs, in its precision."""

    def __init__(self, end_id: int) -> None:
        """End hypotheses with the token `end_id`."""
        self._end_id = end_id

    @abstractmethod
    def _encode(self, sources: Ids) -> tuple[Tensor, Tensor]:
        """Memory [batch, source, d_model], and bool [batch, source], true at padding."""

    @abstractmethod
    def _next_logits(self, rows: list[list[int]], memory: Tensor, padding: Tensor) -> Tensor:
        """Logits of the next token, [batch, vocab]; all rows have equally many tokens."""

    @torch.inference_mode()
    def greedy(self, sources: Ids, max_tokens: int) -> list[GreedyTranslation]:
        """See `OriginalProgram`."""
        memory, padding = self._encode(sources)
        end = self._end_id
        rows: list[list[int]] = [[] for _ in sources]
        logits: list[Tensor] = []
        while len(logits) < max_tokens and not all(end in row for row in rows):
            logits.append(self._next_logits(rows, memory, padding))
            for row, token in zip(rows, logits[-1].argmax(dim=-1).tolist(), strict=True):
                row.append(token)
        every = torch.stack(logits, dim=1).float().numpy()
        lengths = [row.index(end) + 1 if end in row else len(row) for row in rows]
        return [
            GreedyTranslation(target_ids=tuple(row[:length]), logits=every[i, :length])
            for i, (row, length) in enumerate(zip(rows, lengths, strict=True))
        ]

    @torch.inference_mode()
    def beam(self, sources: Ids, beam_size: int, max_tokens: int) -> list[BeamTranslation]:
        """See `OriginalProgram`."""
        return [self._search(source, beam_size, max_tokens) for source in sources]

    def _search(self, source: Sequence[int], beam_size: int, max_tokens: int) -> BeamTranslation:
        memory, padding = self._encode([source])
        live: list[tuple[list[int], float]] = [([], 0.0)]
        best: tuple[list[int], float] | None = None
        for _ in range(max_tokens):
            # Log-probabilities only fall: a live hypothesis below the best one stays below it.
            if best and best[1] >= live[0][1]:
                break
            wide = (memory.expand(len(live), -1, -1), padding.expand(len(live), -1))
            extended = self._extended(live, *wide, count=2 * beam_size)
            ended = [found for found in extended[:beam_size] if self._has_ended(found[0])]
            best = max([*ended, *([best] if best else [])], key=lambda f: f[1], default=None)
            live = [found for found in extended if not self._has_ended(found[0])][:beam_size]
        ids, score = best or live[0]
        return BeamTranslation(target_ids=tuple(ids), log_prob=score)

    def _extended(
        self, live: list[tuple[list[int], float]], memory: Tensor, padding: Tensor, *, count: int
    ) -> list[tuple[list[int], float]]:
        """The most probable continuations of all hypotheses, best first."""
        logits = self._next_logits([ids for ids, _ in live], memory, padding)
        past = torch.tensor([[score] for _, score in live], dtype=torch.double)
        scores = logits.log_softmax(dim=-1) + past
        found = scores.flatten().topk(min(count, scores.numel()))
        return [
            ([*live[place // scores.shape[1]][0], place % scores.shape[1]], score)
            for place, score in zip(found.indices.tolist(), found.values.tolist(), strict=True)
        ]

    def _has_ended(self, ids: Sequence[int]) -> bool:
        return ids[-1] == self._end_id
