"""Measures how much faster one variant of a bundle decodes than another."""

import time
from collections.abc import Sequence
from statistics import median

from bundle.manifest import Speedup
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions

NUM_SENTENCES = {1: 40, 32: 320}
"""Sentences by rows of the batch; more where translation is faster."""
ROUNDS = 5


def measure_speedups(
    sessions: Sessions, reference: Sessions, sources: Sequence[Sequence[int]]
) -> tuple[Speedup, ...]:
    """Time greedy decoding of both in turns, so that a slow machine slows both.

    Args:
        sessions: The measured variant.
        reference: The variant that it is compared with.
        sources: Source ids, end token included.
    """
    speedups = []
    for rows, count in NUM_SENTENCES.items():
        few = sources[:count]
        ratios = [
            _seconds(reference, few, rows) / _seconds(sessions, few, rows) for _ in range(ROUNDS)
        ]
        speedups.append(Speedup(rows=rows, ratio=round(median(ratios), 2)))
    return tuple(speedups)


def _seconds(sessions: Sessions, sources: Sequence[Sequence[int]], rows: int) -> float:
    longest = sessions.bundle.manifest.max_target_tokens
    options = DecodeOptions(max_target_tokens=longest, with_scores=False)
    # Sessions have one thread, whose CPU time does not depend on the load of the machine.
    start_s = time.process_time()
    decode_batch(sessions, sources, options, num_slots=rows)
    return time.process_time() - start_s
