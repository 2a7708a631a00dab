"""How much faster a bundle decodes than another form of it."""

import time
from collections.abc import Sequence
from statistics import median

from bundle.manifest import Speedup
from service.engine.batch import decode_batch
from service.engine.options import DecodeOptions
from service.engine.sessions import Sessions

NUM_SENTENCES = {1: 40, 32: 320}
"""By rows of the batch; more where they are translated faster."""
ROUNDS = 5


def measure_speedups(
    sessions: Sessions, reference: Sessions, sources: Sequence[Sequence[int]]
) -> tuple[Speedup, ...]:
    """Time greedy decoding of both in turns, so that a slow moment of the machine hits both.

    Args:
        sessions: What is measured.
        reference: What it is compared with.
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
    # The sessions have one thread: its time is the same however busy the machine is.
    start_s = time.process_time()
    decode_batch(sessions, sources, options, num_slots=rows)
    return time.process_time() - start_s
