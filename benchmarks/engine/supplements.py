"""Measurements besides speed: memory, growth, the roofline, steps along the cache."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from tqdm import tqdm

from benchmarks.contestants.interface import Contestant, Threads, open_engine
from benchmarks.engine.memory import Memory, measure_memory, print_memory
from benchmarks.engine.reference_model import ReferenceModel
from benchmarks.engine.roofline import Peaks, StepRoof, measure_peaks, measure_roof, print_roofs
from benchmarks.engine.scaling import Growth, measure_growth, print_growth
from benchmarks.engine.step_time import StepTime, measure_steps, print_steps

Extra = Literal["memory", "growth", "roofline", "steps"]
_MEMORY_SENTENCES = 64
_ROWS = (1, 32)
_SOURCE = 20
_PAST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplements:
    """Results; empty where not requested."""

    memory: tuple[Memory, ...] = ()
    growth: tuple[Growth, ...] = ()
    peaks: Peaks | None = None
    roofline: tuple[StepRoof, ...] = ()
    steps: tuple[StepTime, ...] = ()

    def print(self) -> None:
        """Print all tables with rows."""
        if self.memory:
            print_memory(self.memory)
        if self.growth:
            print_growth(self.growth)
        if self.peaks:
            print_roofs(self.peaks, self.roofline)
        if self.steps:
            print_steps(self.steps)


def measure_extras(
    reference_model: ReferenceModel,
    contestants: Sequence[Contestant],
    extras: Collection[Extra],
    *,
    rounds: int,
) -> Supplements:
    """Run the requested measurements."""
    alone = [c for c in contestants if c.mode == "batch" and c.order != "arrival"]
    peaks = measure_peaks() if "roofline" in extras else None
    return Supplements(
        memory=tuple(_memory(reference_model, alone) if "memory" in extras else ()),
        growth=tuple(_growth(reference_model, alone) if "growth" in extras else ()),
        peaks=peaks,
        roofline=tuple(_roofs(reference_model, peaks, rounds) if peaks else ()),
        steps=tuple(_steps(reference_model, rounds) if "steps" in extras else ()),
    )


def _memory(reference_model: ReferenceModel, contestants: Sequence[Contestant]) -> list[Memory]:
    requests = reference_model.requests[:_MEMORY_SENTENCES]
    shown = tqdm(contestants, desc="memory", unit="engine", file=sys.stderr)
    return [measure_memory(contestant, requests) for contestant in shown]


def _growth(reference_model: ReferenceModel, contestants: Sequence[Contestant]) -> list[Growth]:
    manifest = reference_model.bundles[0].manifest
    tokens = [i for request in reference_model.requests for i in request.source_ids[:-1]]
    fast = [contestant for contestant in contestants if not contestant.is_slow]
    measured = []
    for contestant in tqdm(fast, desc="growth", unit="engine", file=sys.stderr):
        engine = open_engine(contestant, Threads(intra=1))
        measured += measure_growth(
            contestant,
            engine,
            tokens,
            max_source=manifest.max_source_tokens,
            max_target=manifest.max_target_tokens,
        )
        engine.close()
    return measured


def _roofs(reference_model: ReferenceModel, peaks: Peaks, rounds: int) -> list[StepRoof]:
    tasks = [(bundle, rows) for bundle in reference_model.bundles for rows in _ROWS]
    return [
        measure_roof(bundle, peaks, rows=rows, source=_SOURCE, past=_PAST, rounds=rounds)
        for bundle, rows in tqdm(tasks, desc="roofline", unit="task", file=sys.stderr)
    ]


def _steps(reference_model: ReferenceModel, rounds: int) -> list[StepTime]:
    source_ids = reference_model.requests[0].source_ids
    return [
        step
        for bundle in reference_model.bundles
        for step in measure_steps(bundle, source_ids, rows=1, rounds=rounds)
    ]
