"""Runs attention passes beside the translations, so few at a time that those do not starve."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from service.engine.graphs.attention_pass import PairAttention, attend
from service.inspection.selection import aligning, check_cells, check_selection, select
from service.inspection.token_pairs import TokenPair, made_text, read_text
from service.inspection.values import AttentionMaps, AttentionSelection
from service.inspection.word_pooling import pooled
from service.models.loaded_model import LoadedModel
from service.scheduling.deadline import deadline

_MAX_BATCH_CELLS = 4_000_000
"""Numbers that one pass may compute, padding included: 16 MB."""
LOWEST_PRIORITY = 19
"""As `nice` has it."""


class Inspector:
    """What the models looked at."""

    def __init__(self, *, max_cells: int, max_runs: int) -> None:
        """Set the limits.

        Args:
            max_cells: Most numbers in the maps of one reply.
            max_runs: Passes at the same time; others wait.
        """
        self._max_cells = max_cells
        # Not the event loop's own executor: a pass whose client has gone still counts here.
        self._maps = ThreadPoolExecutor(
            max_runs, thread_name_prefix="pellucid-attention", initializer=_take_what_is_left
        )
        # Translations wait for these: their tags and placeholders are placed by alignment.
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
            model: What translated them.
            pairs: As it saw them.
            selection: The maps that are wanted; None: only what is always there.
            timeout_s: How long anybody waits.

        Raises:
            InvalidRequestError: A kind, layer or head that the model does not have.
            PayloadTooLargeError: More numbers than one reply may have.
            DeadlineExceededError: It took longer than `timeout_s`.
        """
        if selection is not None:
            self._check_selection(model, pairs, selection)
        async with deadline(timeout_s, "the deadline passed before the attention maps"):
            return await self._run_all(model, pairs, selection)

    def close(self) -> None:
        """Give up what waits; what runs ends by itself."""
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
            # Not with the lowest priority: what holds Python's lock must not wait for a processor.
            maps += await asyncio.to_thread(_all_maps, model, batch, results, selection)
        return maps


def _take_what_is_left() -> None:
    """Let the thread run where no translation wants the processor."""
    # Linux gives every thread a priority of its own; elsewhere this would slow the whole process.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def _attend(model: LoadedModel, batch: Sequence[TokenPair]) -> list[PairAttention]:
    return attend(
        model.sessions, [pair.source_ids for pair in batch], [pair.target_ids for pair in batch]
    )


def _all_maps(
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
        alignment=aligning(attention, bundle.manifest.alignment_head),
        token_log_probs=tuple(attention.log_probs.tolist()),
    )
    if selection is None or not selection.words:
        return maps
    return pooled(maps, read_text(pair.source_ids, bundle), made_text(pair.target_ids, bundle))


def _batches(model: LoadedModel, pairs: Sequence[TokenPair]) -> Iterator[list[TokenPair]]:
    """Neighbours together, as many as the bound on computed cells allows, one at least."""
    batch: list[TokenPair] = []
    for pair in pairs:
        if batch and _padded_cells(model, [*batch, pair]) > _MAX_BATCH_CELLS:
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch


def _padded_cells(model: LoadedModel, batch: Sequence[TokenPair]) -> int:
    """Numbers that the attention graph computes for `batch`, whatever was asked for."""
    architecture = model.bundle.manifest.architecture
    source = max(len(pair.source_ids) for pair in batch)
    target = max(len(pair.target_ids) for pair in batch)
    encoder = architecture.num_encoder_layers * source * source
    decoder = architecture.num_decoder_layers * target * (target + source)
    return len(batch) * architecture.num_heads * (encoder + decoder)
