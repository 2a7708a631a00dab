"""How long a decoder step takes, by the number of tokens decoded before it."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundle.manifest import Architecture
from bundle.reader import read_bundle
from service.engine.decoder import DecoderStep
from service.engine.encoder import encode
from service.engine.sessions import Sessions, open_sessions
from service.engine.slot_cache import SlotCache


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Steps with about the same past."""

    model: str
    precision: str
    rows: int
    past: int
    """Tokens cached before the step, the mean of a bucket."""
    median_ms: float
    against_first: float
    """Time divided by that of the first bucket."""
    multiplications_against_first: float
    """The same for the multiplications that attention over `past` tokens requires."""


def measure_steps(
    folder: Path, source_ids: Sequence[int], *, rows: int, rounds: int, buckets: int = 8
) -> list[StepTime]:
    """Decode the same sentence in `rows` rows, to the end of the cache, `rounds` times."""
    sessions = open_sessions(read_bundle(folder))
    manifest = sessions.bundle.manifest
    seconds = np.median([_decode(sessions, source_ids, rows) for _ in range(rounds)], axis=0)
    parts = np.array_split(np.arange(len(seconds)), buckets)
    medians = [statistics.median(seconds[part].tolist()) for part in parts]
    pasts = [float(part.mean()) for part in parts]
    work = [_multiplications(manifest.architecture, past, len(source_ids)) for past in pasts]
    return [
        StepTime(
            model=manifest.name,
            precision=manifest.precision,
            rows=rows,
            past=round(past),
            median_ms=round(1000 * median, 4),
            against_first=round(median / medians[0], 3),
            multiplications_against_first=round(count / work[0], 3),
        )
        for past, median, count in zip(pasts, medians, work, strict=True)
    ]


def _decode(sessions: Sessions, source_ids: Sequence[int], rows: int) -> list[float]:
    """Seconds of every step."""
    manifest = sessions.bundle.manifest
    cache = SlotCache(manifest, rows)
    step = DecoderStep(sessions, cache)
    group = next(iter(encode(sessions, [source_ids])))
    for _ in range(rows):
        cache.add_row([values[0] for values in group.cross], len(source_ids))
    step.input_ids[:] = manifest.special_ids.bos
    seconds = []
    for _ in range(manifest.max_target_tokens):
        started_s = time.perf_counter()
        logits = step.run()
        seconds.append(time.perf_counter() - started_s)
        # The end token is an input like any other here: the sentence goes on.
        step.input_ids[:rows, 0] = logits.argmax(axis=1)
    return seconds


def _multiplications(architecture: Architecture, past: float, source: int) -> float:
    """Multiplications of one decoder step of one row."""
    d_model = architecture.d_model
    projections = 4 * d_model**2 + 2 * d_model**2 + 2 * d_model * architecture.d_ff
    attention = 2 * d_model * (past + 1) + 2 * d_model * source
    output = d_model * architecture.vocab_size
    return architecture.num_decoder_layers * (projections + attention) + output
