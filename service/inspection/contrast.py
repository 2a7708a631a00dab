"""Contrast: two translations of one source, token beside token from their first difference.

At the first difference the model has read the same source and the same tokens, and chooses. The
difference of the two log-probabilities is that choice, in nats: "why *Bank* and not *Ufer*"
(Yin and Neubig 2022, "Interpreting Language Models with Contrastive Explanations"). Later tokens
follow from different beginnings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.inspection import AttentionKind
from service.inspection.values import (
    AttentionMaps,
    Contrast,
    ContributionDifference,
    Contributions,
    InspectedPair,
)
from service.text.alignment.differences import Step, from_first_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where the tokens of one translation stand among the steps."""

    steps: NDArray[np.int64]
    """The steps at which it has a token, int64 [tokens]."""
    num_steps: int


def contrasted(pair: InspectedPair, other: InspectedPair) -> InspectedPair:
    """A given translation with its contrast to another one of the same source.

    Args:
        pair: Inspected as one sentence.
        other: The other translation, inspected with the same selection.
    """
    own, others = pair.sentences[0].attention, other.sentences[0].attention
    return replace(pair, contrast=contrast_of(own, others, other.translation))


def contrast_of(own: AttentionMaps, other: AttentionMaps, translation: str) -> Contrast:
    """The translation of `own` minus that of `other`, step by step.

    Args:
        own: Of a source and its translation.
        other: Of the same source and another translation.
        translation: The other one.
    """
    steps = from_first_difference(own.target_tokens, other.target_tokens)
    places = _places(steps)
    log_probs = [
        np.asarray(maps.token_log_probs, dtype=np.float64)[:, None] for maps in (own, other)
    ]
    differences = _minus(log_probs[0], log_probs[1], places)[:, 0]
    kinds: list[AttentionKind] = [kind for kind in own.maps if kind != "encoder"]
    return Contrast(
        translation=translation,
        target_tokens=other.target_tokens,
        token_log_probs=other.token_log_probs,
        steps=steps,
        score_differences=tuple(differences.tolist()),
        maps={
            kind: map_difference(kind, own.maps[kind], other.maps[kind], steps) for kind in kinds
        },
        contributions=_contribution_difference(own.contributions, other.contributions, steps),
    )


def _contribution_difference(
    own: Contributions | None, other: Contributions | None, steps: Sequence[Step]
) -> ContributionDifference | None:
    if own is None or other is None:
        return None
    places = _places(steps)
    targets = [_by_step(each.target, p) for each, p in zip((own, other), places, strict=True)]
    return ContributionDifference(
        source=np.asarray(_minus(own.source, other.source, places), dtype=np.float32),
        target=np.asarray(_minus(targets[0], targets[1], places), dtype=np.float32),
    )


def _by_step(target: NDArray[np.float32], places: _Places) -> NDArray[np.floating]:
    """Shares of the tokens before each one at the steps of these tokens, behind the start's."""
    found = np.zeros((len(target), 1 + places.num_steps), dtype=target.dtype)
    found[:, 0] = target[:, 0]
    found[:, 1 + places.steps[:-1]] = target[:, 1:]
    return found


def map_difference(
    kind: AttentionKind,
    own: NDArray[np.float32],
    other: NDArray[np.float32],
    steps: Sequence[Step],
) -> NDArray[np.float32]:
    """One map minus another, with a row for each step; a token that is missing counts as zeros.

    Args:
        kind: `cross`, or `decoder`, whose keys become steps as well.
        own: float32 [..., query, key].
        other: float32 [..., query, key].
        steps: The tokens of both, side by side.

    Returns:
        float32 [..., steps, source] or [..., steps, steps].
    """
    places = _places(steps)
    if kind == "decoder":
        own, other = _spread(own, places[0], axis=-1), _spread(other, places[1], axis=-1)
    return np.asarray(_minus(own, other, places), dtype=np.float32)


def _minus(
    own: NDArray[np.floating], other: NDArray[np.floating], places: tuple[_Places, _Places]
) -> NDArray[np.floating]:
    return np.asarray(_spread(own, places[0], axis=-2) - _spread(other, places[1], axis=-2))


def _spread(values: NDArray[np.floating], places: _Places, *, axis: int) -> NDArray[np.floating]:
    """Values of tokens at the steps of these tokens, 0 elsewhere."""
    shape = list(values.shape)
    shape[axis] = places.num_steps
    spread = np.zeros(shape, dtype=values.dtype)
    np.moveaxis(spread, axis, 0)[places.steps] = np.moveaxis(values, axis, 0)
    return spread


def _places(steps: Sequence[Step]) -> tuple[_Places, _Places]:
    own = [i for i, step in enumerate(steps) if step.first is not None]
    other = [i for i, step in enumerate(steps) if step.second is not None]
    return (
        _Places(steps=np.array(own, dtype=np.int64), num_steps=len(steps)),
        _Places(steps=np.array(other, dtype=np.int64), num_steps=len(steps)),
    )
