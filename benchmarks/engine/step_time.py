"""Time of a decoder step by the number of tokens decoded before it."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bundle.manifest import Architecture
from bundle.reader import Bundle
from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import open_sessions
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions


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
    bundle: Bundle, source_ids: Sequence[int], *, rows: int, rounds: int, buckets: int = 8
) -> list[StepTime]:
    """Decode the same sentence in `rows` rows, to the end of the cache, `rounds` times."""
    manifest = bundle.manifest
    num_steps = manifest.max_target_tokens
    seconds = np.median(
        [step_seconds(bundle, source_ids, rows, num_steps) for _ in range(rounds)], axis=0
    )
    parts = np.array_split(np.arange(len(seconds)), buckets)
    medians = [statistics.median(seconds[part].tolist()) for part in parts]
    pasts = [float(part.mean()) for part in parts]
    work = [multiplications(manifest.architecture, past, len(source_ids)) for past in pasts]
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


def step_seconds(
    bundle: Bundle, source_ids: Sequence[int], rows: int, num_steps: int
) -> list[float]:
    """Seconds of every step of `rows` copies of a sentence; the end token is masked."""
    decoder: BatchDecoder[int] = BatchDecoder(open_sessions(bundle), num_slots=rows)
    options = DecodeOptions(
        max_target_tokens=num_steps, min_target_tokens=num_steps - 1, with_scores=False
    )
    requests = [
        DecodeRequest(handle=i, source_ids=source_ids, options=options) for i in range(rows)
    ]
    decoder.join(decoder.prefill(requests).sentences)
    seconds = []
    while decoder.num_rows:
        started_s = time.perf_counter()
        decoder.step()
        seconds.append(time.perf_counter() - started_s)
    return seconds


def multiplications(architecture: Architecture, past: float, source: float) -> float:
    """Multiplications of one decoder step of one row."""
    d_model = architecture.d_model
    projections = 4 * d_model**2 + 2 * d_model**2 + 2 * d_model * architecture.d_ff
    attention = 2 * d_model * (past + 1) + 2 * d_model * source
    output = d_model * architecture.vocab_size
    return architecture.num_decoder_layers * (projections + attention) + output


def print_steps(steps: Sequence[StepTime]) -> None:
    """Print a table."""
    print("\na step by what was decoded before it; the last column is what attention accounts for")
    print("precision rows  past       ms   x first  x first in multiplications")
    for step in steps:
        print(
            f"{step.precision:9} {step.rows:4d} {step.past:5d} {step.median_ms:8.3f} "
            f"{step.against_first:9.2f} {step.multiplications_against_first:27.2f}"
        )
