"""Inspection: a teacher-forced pass over finished pairs, and only what is wanted of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import AlignmentHead
from service.engine.graphs.attention_pass import PairAttention, attend
from service.engine.graphs.cause_passes import (
    Places,
    alti_layers,
    encoder_states,
    occluded_log_probs,
    zeroed_distances,
)
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import HandleT

AttentionKind = Literal["encoder", "decoder", "cross"]
ATTENTION_KINDS: tuple[AttentionKind, ...] = ("encoder", "decoder", "cross")
Reduction = Literal["none", "heads", "all"]
"""Mean over nothing, over heads, or over heads and layers."""
CausePass = Literal["value_zeroing", "alti", "occlusion", "states"]
"""Which pass of `service.engine.graphs.cause_passes`; that of states is of `layers` and `heads`."""
TokenIds = tuple[int, ...]
IdPair = tuple[TokenIds, TokenIds]
"""Source and target ids of a pair, as `attend` takes them."""
MAX_RUN_TOKENS = 128
"""Of both sides of all pairs of a run of the graph, padding included. Larger runs take as long for
each pair, and more memory: that of log-probabilities over the vocabulary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedOutputs:
    """What of a pass is returned; all else is not even copied out of the graph."""

    kinds: tuple[AttentionKind, ...] = ()
    layers: tuple[int, ...] | None = None
    """None: all."""
    heads: tuple[int, ...] | None = None
    """None: all."""
    reduce: Reduction = "none"
    alignment: bool = False
    """The map of the alignment head."""
    log_probs: bool = False
    """Log-probabilities of the target tokens."""
    cause: CausePass | None = None
    """A pass that asks for causes or states, of each pair alone; nothing else is returned then."""
    places: Places = (0, 0)
    """The tokens that it takes away, except for ALTI."""

    @property
    def fields(self) -> set[str]:
        """The fields of `PairAttention` that they need."""
        own = {"cross"} if self.alignment else set()
        return {*self.kinds, *own, *(("log_probs",) if self.log_probs else ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendRequest(Generic[HandleT]):
    """Pairs that go through the model together."""

    handle: HandleT
    """Chosen by the caller; identifies the request in the results."""
    pairs: tuple[IdPair, ...]
    wanted: WantedOutputs


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutputs:
    """What was wanted of one pair, without padding."""

    maps: dict[AttentionKind, NDArray[np.float32]] = field(default_factory=dict)
    """float32 [layers, heads, query, key] by kind; a mean keeps its axis with length 1."""
    alignment: NDArray[np.float32] | None = None
    """float32 [target, source]; None: not wanted."""
    log_probs: NDArray[np.float32] | None = None
    """Nats, float32 [target]; None: not wanted."""
    layers: tuple[NDArray[np.float32], ...] = ()
    """What a pass that asks for causes or states returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attended(Generic[HandleT]):
    """The outputs of a request."""

    handle: HandleT
    pairs: tuple[PairOutputs, ...]
    """In the order of the request."""


def run_pass(sessions: Sessions, request: AttendRequest[HandleT]) -> Attended[HandleT]:
    """Answer a request with a few runs of the attention graph, or of one of causes."""
    if request.wanted.cause is not None:
        layers = [_causes(sessions, pair, request.wanted) for pair in request.pairs]
        return Attended(
            handle=request.handle, pairs=tuple(PairOutputs(layers=each) for each in layers)
        )
    wanted, head = request.wanted, sessions.bundle.manifest.alignment_head
    found: list[PairOutputs] = []
    for batch in split(request.pairs, MAX_RUN_TOKENS):
        sources, targets = zip(*batch, strict=True)
        attention = attend(sessions, sources, targets, wanted.fields)
        found += [_outputs(each, wanted, head) for each in attention]
    return Attended(handle=request.handle, pairs=tuple(found))


def split(pairs: Sequence[IdPair], max_tokens: int) -> Iterator[list[IdPair]]:
    """Batches of neighbouring pairs within `max_tokens`, padding included; at least one pair."""
    batch: list[IdPair] = []
    longest = (0, 0)
    for pair in pairs:
        lengths = (len(pair[0]), len(pair[1]))
        padded = (max(longest[0], lengths[0]), max(longest[1], lengths[1]))
        if batch and (len(batch) + 1) * sum(padded) > max_tokens:
            yield batch
            batch, padded = [], lengths
        batch.append(pair)
        longest = padded
    if batch:
        yield batch


def _causes(
    sessions: Sessions, pair: IdPair, wanted: WantedOutputs
) -> tuple[NDArray[np.float32], ...]:
    if wanted.cause == "alti":
        return alti_layers(sessions, *pair)
    if wanted.cause == "states":
        shape = sessions.bundle.manifest.architecture
        layers = chosen_indices(wanted.layers, shape.num_encoder_layers)
        return encoder_states(
            sessions, pair[0], layers, chosen_indices(wanted.heads, shape.num_heads)
        )
    run = zeroed_distances if wanted.cause == "value_zeroing" else occluded_log_probs
    return run(sessions, *pair, wanted.places)


def _outputs(
    attention: PairAttention, wanted: WantedOutputs, head: AlignmentHead | None
) -> PairOutputs:
    return PairOutputs(
        maps=select(attention, wanted),
        alignment=alignment_attention(attention, head) if wanted.alignment else None,
        log_probs=attention.log_probs if wanted.log_probs else None,
    )


def select(
    attention: PairAttention, wanted: WantedOutputs
) -> dict[AttentionKind, NDArray[np.float32]]:
    """The wanted maps, each float32 [layers, heads, query, key]."""
    everything = {
        "encoder": attention.encoder,
        "decoder": attention.decoder,
        "cross": attention.cross,
    }
    return {kind: _select_one(everything[kind], wanted) for kind in wanted.kinds}


def alignment_attention(
    attention: PairAttention, head: AlignmentHead | None
) -> NDArray[np.float32]:
    """The cross-attention that aligns target tokens with source tokens, float32 [query, key].

    Args:
        attention: Of a pair.
        head: The head trained or chosen for alignment; None: the mean of the last layer.
    """
    if head is None:
        return np.asarray(attention.cross[-1].mean(axis=0))
    chosen = attention.cross[head.layer, head.head]
    # A token's alignment is in the row of a later token; the last rows have none behind them.
    rows = np.minimum(np.arange(len(chosen)) + head.shift, len(chosen) - 1)
    return np.asarray(chosen[rows])


def chosen_indices(indices: tuple[int, ...] | None, count: int) -> Sequence[int]:
    """Layers or heads of a selection; all `count` of them where it names none."""
    return range(count) if indices is None else indices


def _select_one(maps: NDArray[np.float32], wanted: WantedOutputs) -> NDArray[np.float32]:
    layers = chosen_indices(wanted.layers, maps.shape[0])
    heads = chosen_indices(wanted.heads, maps.shape[1])
    chosen = maps[np.ix_(layers, heads)]  # a copy: the padded batch can be freed
    if wanted.reduce == "heads":
        return np.asarray(chosen.mean(axis=1, keepdims=True))
    if wanted.reduce == "all":
        return np.asarray(chosen.mean(axis=(0, 1), keepdims=True))
    return chosen
