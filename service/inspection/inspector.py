"""Asks a model's engines for teacher-forced passes, a few pairs at a time."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from service.engine.inspection import IdPair, PairOutputs, WantedOutputs, split
from service.engine.search.options import DecodeOptions
from service.inspection.causes.methods import check_method, passes_of, shares_of
from service.inspection.replay import check_replay
from service.inspection.selection import check_cells, check_selection, check_states
from service.inspection.token_pairs import TokenPair, decoded_source_offsets, target_offsets
from service.inspection.values import (
    START_TOKEN,
    AttentionMaps,
    AttentionSelection,
    Contributions,
    EncoderStates,
    ScoredPair,
)
from service.inspection.word_pooling import pooled
from service.models.loaded_model import LoadedModel
from service.observability.logs import REQUEST_ID
from service.scheduling.attend_queue import Attend
from service.scheduling.deadline import deadline

_MAX_PASS_TOKENS = 256
"""Of both sides of all pairs of a pass, padding included: a pass stands between two steps of the
sentences that an engine decodes."""
_ALIGNMENT = WantedOutputs(alignment=True)
_LOG_PROBS = WantedOutputs(log_probs=True)
_TOO_LATE = "the deadline passed before the attention maps"


class Inspector:
    """Computes the attention of sentence pairs, and what their tokens come from."""

    def __init__(self, *, max_cells: int) -> None:
        """Creates an inspector.

        Args:
            max_cells: Most cells in the maps of one reply.
        """
        self._max_cells = max_cells

    async def inspect(
        self,
        model: LoadedModel,
        pairs: Sequence[TokenPair],
        selection: AttentionSelection,
        *,
        timeout_s: float | None = None,
    ) -> list[AttentionMaps]:
        """Attention of every pair, in order.

        Args:
            model: The model that translated them.
            pairs: Token ids.
            selection: The maps to return.
            timeout_s: Time limit for the whole.

        Raises:
            InvalidRequestError: A method, kind, layer or head that the model does not have.
            PayloadTooLargeError: More cells than one reply may have.
            DeadlineExceededError: It took longer than `timeout_s`.
        """
        self._check_selection(model, pairs, selection)
        return await self._inspected(model, pairs, selection, timeout_s)

    async def inspect_beside(
        self,
        model: LoadedModel,
        pairs: Sequence[TokenPair],
        others: Sequence[TokenPair],
        selection: AttentionSelection,
        *,
        timeout_s: float | None = None,
    ) -> list[AttentionMaps]:
        """Attention of every pair, then of another translation of each source.

        Args:
            model: The model.
            pairs: Token ids.
            others: The same sources with other translations, in the same order.
            selection: The maps to return.
            timeout_s: Time limit for the whole.

        Raises:
            ServiceError: As for `inspect`; differences of maps count as cells, too.
        """
        differences = [
            TokenPair(source_ids=one.source_ids, target_ids=one.target_ids + other.target_ids)
            for one, other in zip(pairs, others, strict=True)
        ]
        self._check_selection(model, [*pairs, *differences], selection)
        return await self._inspected(model, [*pairs, *others], selection, timeout_s)

    async def _inspected(
        self,
        model: LoadedModel,
        pairs: Sequence[TokenPair],
        selection: AttentionSelection,
        timeout_s: float | None,
    ) -> list[AttentionMaps]:
        maps: list[AttentionMaps] = []
        async with deadline(timeout_s, _TOO_LATE):
            if selection.method != "attention":
                return [await _contributions(model, pair, selection) for pair in pairs]
            for batch in _batches(pairs):
                outputs = await _run(model, batch, selection.outputs)
                maps += await asyncio.to_thread(_maps_of_batch, model, batch, outputs, selection)
            if selection.states:
                return [
                    replace(each, states=await _states(model, pair, selection))
                    for each, pair in zip(maps, pairs, strict=True)
                ]
        return maps

    async def align(
        self, model: LoadedModel, pairs: Sequence[TokenPair], *, timeout_s: float | None = None
    ) -> list[NDArray[np.float32]]:
        """The alignment head's attention of every pair, each float32 [target, source].

        A translation waits for it: its passes come before those of `inspect` and `score`.

        Raises:
            DeadlineExceededError: It took longer than `timeout_s`.
        """
        found: list[PairOutputs] = []
        async with deadline(timeout_s, _TOO_LATE):
            for batch in _batches(pairs):
                found += await _run(model, batch, _ALIGNMENT, is_urgent=True)
        return [each.alignment for each in found if each.alignment is not None]

    async def score(
        self, model: LoadedModel, pairs: Sequence[TokenPair], *, timeout_s: float | None = None
    ) -> list[ScoredPair]:
        """Log-probabilities of the target tokens of every pair, in order.

        Raises:
            DeadlineExceededError: It took longer than `timeout_s`.
        """
        scored: list[ScoredPair] = []
        async with deadline(timeout_s, _TOO_LATE):
            for batch in _batches(pairs):
                outputs = await _run(model, batch, _LOG_PROBS)
                scored += [_scored(model, *each) for each in zip(batch, outputs, strict=True)]
        return scored

    def check_replay(self, options: Sequence[DecodeOptions]) -> None:
        """Rejects the replays of searches that could have more numbers than a reply may have.

        Args:
            options: Of each sentence; they have one beam size.

        Raises:
            PayloadTooLargeError: They could.
        """
        max_steps = [each.max_target_tokens for each in options]
        beam_size = max((each.beam_size for each in options), default=1)
        check_replay(max_steps, beam_size, self._max_cells)

    def _check_selection(
        self, model: LoadedModel, pairs: Sequence[TokenPair], selection: AttentionSelection
    ) -> None:
        architecture = model.bundle.manifest.architecture
        check_selection(selection, architecture)
        check_method(selection.method, model.bundle)
        check_states(selection, model.bundle)
        lengths = [(len(pair.source_ids), len(pair.target_ids)) for pair in pairs]
        check_cells(lengths, selection, architecture, self._max_cells)


async def _run(
    model: LoadedModel,
    batch: Sequence[TokenPair],
    wanted: WantedOutputs,
    *,
    is_urgent: bool = False,
) -> tuple[PairOutputs, ...]:
    attend = Attend(
        pairs=tuple(map(_ids_of, batch)),
        wanted=wanted,
        is_urgent=is_urgent,
        request_id=REQUEST_ID.get(),
    )
    return await model.scheduler.attend(attend)


def _maps_of_batch(
    model: LoadedModel,
    batch: Sequence[TokenPair],
    outputs: Sequence[PairOutputs],
    selection: AttentionSelection,
) -> list[AttentionMaps]:
    return [_maps(model, *each, selection) for each in zip(batch, outputs, strict=True)]


async def _states(
    model: LoadedModel, pair: TokenPair, selection: AttentionSelection
) -> EncoderStates:
    """A pass of its own, so that requests take turns before it."""
    wanted = WantedOutputs(cause="states", layers=selection.layers, heads=selection.heads)
    (outputs,) = await _run(model, [pair], wanted)
    queries, keys, values, activations, norms = outputs.layers
    return EncoderStates(
        queries=queries, keys=keys, values=values, activations=activations, residual_norms=norms
    )


async def _contributions(
    model: LoadedModel, pair: TokenPair, selection: AttentionSelection
) -> AttentionMaps:
    """One pass after the other, so that requests take turns between them."""
    lengths = len(pair.source_ids), len(pair.target_ids)
    outputs = [
        (await _run(model, [pair], wanted))[0] for wanted in passes_of(selection.method, lengths)
    ]
    return await asyncio.to_thread(_joined, model, pair, outputs, selection)


def _joined(
    model: LoadedModel,
    pair: TokenPair,
    outputs: Sequence[PairOutputs],
    selection: AttentionSelection,
) -> AttentionMaps:
    source, target = shares_of(
        selection.method, outputs, (len(pair.source_ids), len(pair.target_ids))
    )
    pieces = model.bundle.tokenizer.target_pieces(pair.target_ids)
    contributions = Contributions(
        method=selection.method,
        source=source,
        target=target,
        prefix_tokens=(START_TOKEN, *pieces[:-1]),
    )
    return _maps(model, pair, replace(outputs[0], maps={}), selection, contributions)


def _maps(
    model: LoadedModel,
    pair: TokenPair,
    outputs: PairOutputs,
    selection: AttentionSelection,
    contributions: Contributions | None = None,
) -> AttentionMaps:
    bundle = model.bundle
    tokenizer = bundle.tokenizer
    assert outputs.alignment is not None
    maps = AttentionMaps(
        source_tokens=tuple(tokenizer.source_pieces(pair.source_ids)),
        target_tokens=tuple(tokenizer.target_pieces(pair.target_ids)),
        maps=outputs.maps,
        alignment=outputs.alignment,
        token_log_probs=_log_probs(outputs),
        cell=bundle.manifest.architecture.decoder_cell,
        contributions=contributions,
    )
    if not selection.words:
        return maps
    return pooled(
        maps,
        decoded_source_offsets(pair.source_ids, bundle),
        target_offsets(pair.target_ids, bundle),
    )


def _scored(model: LoadedModel, pair: TokenPair, outputs: PairOutputs) -> ScoredPair:
    return ScoredPair(
        target_tokens=tuple(model.bundle.tokenizer.target_pieces(pair.target_ids)),
        token_log_probs=_log_probs(outputs),
    )


def _log_probs(outputs: PairOutputs) -> tuple[float, ...]:
    assert outputs.log_probs is not None
    return tuple(outputs.log_probs.tolist())


def _batches(pairs: Sequence[TokenPair]) -> Iterator[list[TokenPair]]:
    """Pairs by pass."""
    remaining = iter(pairs)
    for batch in split([_ids_of(pair) for pair in pairs], _MAX_PASS_TOKENS):
        yield list(islice(remaining, len(batch)))


def _ids_of(pair: TokenPair) -> IdPair:
    return pair.source_ids, pair.target_ids
