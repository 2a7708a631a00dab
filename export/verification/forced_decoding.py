"""Logits of given targets, step by step through the engine's own cached decoder."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.engine.cache.slot_cache import SlotCache
from service.engine.graphs.decoder import DecoderStep
from service.engine.graphs.encoder import encode
from service.engine.graphs.sessions import Sessions

MASKED_LOGIT = -1e8
"""Logits below it are masked, with any large negative number."""
LARGE_LOGIT = 5.0
"""Limit up to which a difference of logits counts as it is."""


def forced_logits(
    sessions: Sessions, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
) -> list[NDArray[np.float32]]:
    """Feed each pair's target as the decoder's output, all pairs in one ragged batch.

    Args:
        sessions: Of the bundle.
        sources: Source ids, end token included.
        targets: Target ids, end token included.

    Returns:
        Per pair, the logits before each target token, float32 [target, vocab].
    """
    manifest = sessions.bundle.manifest
    cache = SlotCache(manifest, len(sources))
    step = DecoderStep(sessions, cache)
    order: list[int] = []
    for group in encode(sessions, sources):
        for position, index in enumerate(group.indices):
            cache.add_row([values[position] for values in group.cross], len(sources[index]))
            order.append(index)
    inputs = [[manifest.special_ids.bos, *targets[i][:-1]] for i in order]
    collected: list[list[NDArray[np.float32]]] = [[] for _ in sources]
    for t in range(max(map(len, inputs))):
        for row, tokens in enumerate(inputs):
            step.input_ids[row] = tokens[min(t, len(tokens) - 1)]
        logits = step.run()
        for row, index in enumerate(order):
            if t < len(inputs[row]):
                collected[index].append(logits[row].copy())
    return [np.stack(rows) for rows in collected]


def largest_difference(have: NDArray[np.float32], want: NDArray[np.float32]) -> float:
    """Over all elements; infinite where one is NaN, which `max` may ignore."""
    differences = np.nan_to_num(np.abs(have - want), nan=np.inf)
    return float(differences.max(initial=0.0))


def logit_error(have: NDArray[np.float32], want: NDArray[np.float32]) -> float:
    """Largest difference of logits, in proportion to large logits.

    float32 rounds in proportion to the summands. The difference of a step counts as it is while no
    logit is over `LARGE_LOGIT`; else it is scaled by `LARGE_LOGIT` over the largest logit.

    Args:
        have: float32 [.., vocab], a step a row.
        want: Likewise; its largest logit of a step decides the scale.
    """
    is_possible = want > MASKED_LOGIT
    largest = np.max(np.abs(want), axis=-1, keepdims=True, where=is_possible, initial=LARGE_LOGIT)
    differences = (have - want) * (LARGE_LOGIT / largest)
    return largest_difference(differences, np.zeros_like(differences))
