"""Runs attention passes beside translations, a bounded number at a time."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from service.engine.graphs.attention_pass import PairAttention, attend
from service.inspection.selection import alignment_attention, check_cells, check_selection, select
from service.inspection.token_pairs import TokenPair, decoded_source_offsets, target_offsets
from service.inspection.values import AttentionMaps, AttentionSelection
from service.inspection.word_pooling import pooled
from service.models.loaded_model import LoadedModel
from service.scheduling.deadline import deadline

_MAX_BATCH_CELLS = 4_000_000
"""Most cells of one pass, padding included: 16 MB."""
LOWEST_PRIORITY = 19
"""The niceness of threads that compute requested maps."""


class Inspector:
    """Computes the attention of sentence pairs."""

    def __init__(self, *, max_cells: int, max_runs: int) -> None:
        """Starts the threads.

        Args:
            max_cells: Most cells in the maps of one reply.
            max_runs: Most passes at the same time; further passes wait.
        """
        self._max_cells = max_cells
        # Not the event loop's executor: here a pass counts even after its client has left.
        self._maps = ThreadPoolExecutor(
            max_runs, thread_name_prefix="pellucid-attention", initializer=_lower_priority
        )
        # Translations wait for these passes to place tags and placeholders.
        self._alignments = ThreadPoolExecutor(max_runs, thread_name_prefix="pellucid-alignment")

    async def inspect(
        self,
        model: LoadedModel,
        pairs: Sequence[TokenPair],
        selection: AttentionSelection | None,
        *,
        timeout_s: float | None = None,
    ) -> list[AttentionMaps]:
        """Attention of every pair, in order.

        Args:
            model: The model that translated them.
            pairs: Token ids.
            selection: The maps to return; None: only alignment and log-probabilities.
            timeout_s: Time limit for the whole.

        Raises:
            InvalidRequestError: A kind, layer or head that the model does not have.
            PayloadTooLargeError: More cells than one reply may have.
            DeadlineExceededError: It took longer than `timeout_s`.
        """
        if selection is not None:
            self._check_selection(model, pairs, selection)
        async with deadline(timeout_s, "the deadline passed before the attention maps"):
            return await self._run_all(model, pairs, selection)

    def close(self) -> None:
        """Cancels passes that wait; running passes end by themselves."""
        for executor in (self._maps, self._alignments):
            executor.shutdown(wait=False, cancel_futures=True)

    def _check_selection(
        self, model: LoadedModel, pairs: Sequence[TokenPair], selection: AttentionSelection
    ) -> None:
        architecture = model.bundle.manifest.architecture
        check_selection(selection, architecture)
        lengths = [(len(pair.source_ids), len(pair.target_ids)) for pair in pairs]
        check_cells(lengths, selection, architecture, self._max_cells)

    async def _run_all(
        self, model: LoadedModel, pairs: Sequence[TokenPair], selection: AttentionSelection | None
    ) -> list[AttentionMaps]:
        loop = asyncio.get_running_loop()
        executor = self._maps if selection else self._alignments
        maps: list[AttentionMaps] = []
        for batch in _batches(model, pairs):
            results = await loop.run_in_executor(executor, _attend, model, batch)
            # At normal priority: a thread that holds the GIL must not wait for a processor.
            maps += await asyncio.to_thread(_maps_of_batch, model, batch, results, selection)
        return maps


def _lower_priority() -> None:
    """Lowers the priority of this thread: translations come first."""
    # On Linux a thread has its own priority; elsewhere the whole process would be slowed.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def _attend(model: LoadedModel, batch: Sequence[TokenPair]) -> list[PairAttention]:
    return attend(
        model.sessions, [pair.source_ids for pair in batch], [pair.target_ids for pair in batch]
    )


def _maps_of_batch(
    model: LoadedModel,
    batch: Sequence[TokenPair],
    results: Sequence[PairAttention],
    selection: AttentionSelection | None,
) -> list[AttentionMaps]:
    return [
        _maps(model, pair, result, selection) for pair, result in zip(batch, results, strict=True)
    ]


def _maps(
    model: LoadedModel,
    pair: TokenPair,
    attention: PairAttention,
    selection: AttentionSelection | None,
) -> AttentionMaps:
    bundle = model.bundle
    tokenizer = bundle.tokenizer
    maps = AttentionMaps(
        source_tokens=tuple(tokenizer.source_pieces(pair.source_ids)),
        target_tokens=tuple(tokenizer.target_pieces(pair.target_ids)),
        maps=select(attention, selection) if selection else {},
        alignment=alignment_attention(attention, bundle.manifest.alignment_head),
        token_log_probs=tuple(attention.log_probs.tolist()),
    )
    if selection is None or not selection.words:
        return maps
    return pooled(
        maps,
        decoded_source_offsets(pair.source_ids, bundle),
        target_offsets(pair.target_ids, bundle),
    )


def _batches(model: LoadedModel, pairs: Sequence[TokenPair]) -> Iterator[list[TokenPair]]:
    """Batches of neighbouring pairs within `_MAX_BATCH_CELLS`, at least one pair each."""
    batch: list[TokenPair] = []
    longest = (0, 0)
    for pair in pairs:
        lengths = (len(pair.source_ids), len(pair.target_ids))
        padded = (max(longest[0], lengths[0]), max(longest[1], lengths[1]))
        if batch and (len(batch) + 1) * _cells(model, *padded) > _MAX_BATCH_CELLS:
            yield batch
            batch, padded = [], lengths
        batch.append(pair)
        longest = padded
    if batch:
        yield batch


def _cells(model: LoadedModel, source: int, target: int) -> int:
    """Cells that the attention graph computes for a pair of these lengths, whatever is selected."""
    architecture = model.bundle.manifest.architecture
    encoder = architecture.num_encoder_layers * source * source
    decoder = architecture.num_decoder_layers * target * (target + source)
    return architecture.num_heads * (encoder + decoder)
