"""How time grows with the length of the source, of the output, and with the batch."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.contestants.interface import Contestant, Engine, EngineName, Request

SHORT_OUTPUT = 1
FIXED_SOURCE = 16
FIXED_OUTPUT = 16
MIN_RUNS = 3
SECONDS_PER_SIZE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Seconds against one size, the others fixed, and the best-fitting power."""

    engine: EngineName
    precision: str
    axis: str
    """`source` (batch 1, one token out: the encoder), `output` (batch 1) or `batch`."""
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    """Medians."""
    exponent: float
    """Least squares of log seconds on log size: 1 is proportional, 0 constant."""
    last_exponent: float
    """Between the two largest sizes, where constant costs weigh least."""


def measure_growth(
    contestant: Contestant,
    engine: Engine,
    source_ids: Sequence[int],
    *,
    max_source: int,
    max_target: int,
) -> list[Growth]:
    """Time one contestant along three axes.

    Args:
        contestant: Its description.
        engine: The opened contestant.
        source_ids: Tokens for the sources, at least `max_source`, without end token.
        max_source: Longest source in tokens.
        max_target: Longest output in tokens.
    """

    def request(source: int, output: int) -> Request:
        return Request(
            source_ids=tuple(source_ids[:source]),
            max_target_tokens=output,
            min_target_tokens=output - 1,
        )

    axes: dict[str, tuple[list[int], Callable[[int], list[Request]]]] = {
        "source": (_powers(max_source), lambda n: [request(n, SHORT_OUTPUT)]),
        "output": (_powers(max_target), lambda n: [request(FIXED_SOURCE, n)]),
        "batch": (_powers(64, 1), lambda n: [request(FIXED_SOURCE, FIXED_OUTPUT)] * n),
    }
    return [
        _growth(contestant, axis, sizes, [_median_s(engine, make(n)) for n in sizes])
        for axis, (sizes, make) in axes.items()
    ]


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The power p whose multiple of `sizes ** p` is nearest to `seconds`."""
    slope, _ = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(slope)


def print_growth(measured: Sequence[Growth]) -> None:
    """Print a table."""
    print("\nhow time grows: exponent of the best fit, and between the two largest sizes")
    print("engine       precision axis    sizes       exponent  at the end  ms at the ends")
    for row in measured:
        first, last = (1000 * row.seconds[i] for i in (0, -1))
        sizes = f"{row.sizes[0]}..{row.sizes[-1]}"
        print(
            f"{row.engine:12} {row.precision:9} {row.axis:7} {sizes:10} {row.exponent:9.2f} "
            f"{row.last_exponent:11.2f} {first:7.2f} {last:8.2f}"
        )


def _growth(
    contestant: Contestant, axis: str, sizes: Sequence[int], seconds: Sequence[float]
) -> Growth:
    return Growth(
        engine=contestant.engine,
        precision=contestant.precision,
        axis=axis,
        sizes=tuple(sizes),
        seconds=tuple(round(s, 6) for s in seconds),
        exponent=round(exponent(sizes, seconds), 3),
        last_exponent=round(exponent(sizes[-2:], seconds[-2:]), 3),
    )


def _median_s(engine: Engine, requests: Sequence[Request]) -> float:
    """Median of the runs within the time limit, without the first, which allocates."""
    times: list[float] = []
    while len(times) <= MIN_RUNS or sum(times) < SECONDS_PER_SIZE:
        started_s = time.perf_counter()
        engine.translate(requests, batch=len(requests), beam=1)
        times.append(time.perf_counter() - started_s)
    return statistics.median(times[1:])


def _powers(largest: int, smallest: int = 4) -> list[int]:
    """1, 2, 4, ... from `smallest` to `largest`."""
    return [2**i for i in range(largest.bit_length()) if smallest <= 2**i <= largest]
