"""Every contestant in every setting, once in each round."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

from benchmarks.contestants.interface import (
    Contestant,
    Engine,
    Mode,
    Request,
    Threads,
    open_engine,
)

SETTLE_S = 0.25
"""Pause after a run on several threads: OpenMP's threads spin for another 0.2 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Batch size and beam size of a run."""

    mode: Mode
    batch: int
    beam: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Length of the measurement."""

    rounds: int
    sentences: int
    slow_rounds: int
    slow_sentences: int
    trials: int = 3
    """Trials of each number of threads; the fastest run decides."""

    def rounds_of(self, contestant: Contestant) -> int:
        """Rounds of a contestant."""
        return min(self.rounds, self.slow_rounds) if contestant.is_slow else self.rounds

    def sentences_of(self, contestant: Contestant) -> int:
        """Number of the first sentences that a contestant translates."""
        return min(self.sentences, self.slow_sentences) if contestant.is_slow else self.sentences

    def trial_sentences_of(self, contestant: Contestant, batch: int) -> int:
        """Sentences of a trial: two batches, and a minimum."""
        return max(2 * batch, 2 if contestant.is_slow else 10)


@dataclass(slots=True, kw_only=True)
class Entry:
    """A contestant in a setting, with the results of its runs."""

    contestant: Contestant
    setting: Setting
    threads: Threads
    engine: Engine
    requests: Sequence[Request]
    targets: list[tuple[int, ...]] = field(default_factory=list)
    """Of the last run."""
    seconds: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Translate all sentences once."""
        self.targets, elapsed_s = timed(self.engine, self.threads, self.setting, self.requests)
        self.seconds.append(elapsed_s)

    @property
    def num_tokens(self) -> int:
        """Decoded tokens, end tokens included."""
        pairs = zip(self.requests, self.targets, strict=True)
        return sum(min(len(ids) + 1, request.max_target_tokens) for request, ids in pairs)

    @property
    def speeds(self) -> list[float]:
        """Tokens per second of every run."""
        return [self.num_tokens / elapsed_s for elapsed_s in self.seconds]


class Engines:
    """Opened engines, each shared by all its settings."""

    def __init__(self) -> None:
        self._opened: dict[tuple[Contestant, Threads], Engine] = {}

    def get(self, contestant: Contestant, threads: Threads) -> Engine:
        """The engine of a contestant, opened on first use."""
        key = (contestant, threads)
        if key not in self._opened:
            self._opened[key] = open_engine(contestant, threads)
        return self._opened[key]

    def keep(self, entries: Sequence["Entry"]) -> None:
        """Close engines without an entry."""
        wanted = {(entry.contestant, entry.threads) for entry in entries}
        for key in self._opened.keys() - wanted:
            self._opened.pop(key).close()

    def close(self) -> None:
        """Close all engines."""
        self.keep([])


def enter(
    contestants: Sequence[Contestant],
    settings: Sequence[Setting],
    requests: Sequence[Request],
    effort: Effort,
    engines: Engines,
    *,
    num_cpus: int,
) -> list[Entry]:
    """Every contestant in every setting of its mode, with its fastest number of threads."""
    pairs = [(s, c) for s in settings for c in contestants if _takes_part(c, s)]
    entries = []
    for setting, contestant in tqdm(pairs, desc="threads", unit="trial", file=sys.stderr):
        own = requests[: effort.sentences_of(contestant)]
        trial = own[: effort.trial_sentences_of(contestant, setting.batch)]
        choices = list(thread_choices(contestant, num_cpus))
        num_trials = 1 if contestant.is_slow else effort.trials
        times = [
            (timed(engines.get(contestant, choice), choice, setting, trial)[1], index)
            for _ in range(num_trials)
            for index, choice in enumerate(choices)
        ]
        best = choices[min(times)[1]]
        engine = engines.get(contestant, best)
        entries.append(
            Entry(contestant=contestant, setting=setting, threads=best, engine=engine, requests=own)
        )
    return entries


def run_rounds(entries: Sequence[Entry], effort: Effort) -> None:
    """Measure in rounds: a slow moment of the machine affects all contestants equally."""
    runs = [
        entry
        for i in range(effort.rounds)
        for entry in entries
        if i < effort.rounds_of(entry.contestant)
    ]
    for entry in tqdm(runs, desc="rounds", unit="run", file=sys.stderr):
        entry.run()


def thread_choices(contestant: Contestant, num_cpus: int) -> Iterator[Threads]:
    """Thread counts to try; the service has one worker per core, of one thread each."""
    if contestant.mode == "serving" and contestant.engine == "pellucid":
        yield Threads(intra=1, inter=num_cpus)
        return
    yield Threads(intra=1)
    if num_cpus > 1:
        yield Threads(intra=num_cpus)
    if num_cpus > 1 and contestant.mode == "serving":
        yield Threads(intra=1, inter=num_cpus)


def timed(
    engine: Engine, threads: Threads, setting: Setting, requests: Sequence[Request]
) -> tuple[list[tuple[int, ...]], float]:
    """Target ids, and the seconds of the run."""
    started_s = time.perf_counter()
    targets = engine.translate(requests, batch=setting.batch, beam=setting.beam)
    elapsed_s = time.perf_counter() - started_s
    if threads.intra > 1:
        time.sleep(SETTLE_S)
    return targets, elapsed_s


def _takes_part(contestant: Contestant, setting: Setting) -> bool:
    # A batch of one sentence has no order.
    is_repeated = contestant.order == "arrival" and setting.batch == 1
    return contestant.mode == setting.mode and not is_repeated
