"""Time and recall of look-ups in a translation memory, and what they cost the event loop.

python -m benchmarks.serving.translation_memory SENTENCES.txt [--units 100000]

Some sentences are asked for as they are, and others with a part of their words replaced; recall is
the share of the latter, of those with a score of 0.75 at least, whose own unit is suggested, or
three better ones.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from service.text.similarity import similarity
from service.translation.memory.memory_file import MAX_SUGGESTIONS, MIN_SCORE, MemoryFile
from service.translation.memory.translation_memory import TranslationMemory
from service.translation.memory.unit import Space, Unit

_SPACE = Space.of("", "en", "de")
_NUM_ASKED = 300
_UNITS_OF_A_TRANSACTION = 500
_LAG_S = 5.0
_TICK_S = 0.005
_REPLACED = (0.05, 0.12, 0.2)
"""Shares of the words of a sentence."""


def main() -> None:
    """Print the size, the times and the recall."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, help="one sentence per line")
    parser.add_argument("--units", type=int, default=100_000)
    arguments = parser.parse_args()
    lines = dict.fromkeys(arguments.texts.read_text(encoding="utf-8").splitlines())
    sources = list(islice((line for line in lines if 15 <= len(line) <= 300), arguments.units))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        _fill(path, sources)
        with closing(TranslationMemory(path, 10.0)) as memory:
            asyncio.run(_measure(memory, sources))


def _fill(path: Path, sources: Sequence[str]) -> None:
    began_s = time.perf_counter()
    with closing(MemoryFile(path, 10.0)) as file:
        for at in range(0, len(sources), _UNITS_OF_A_TRANSACTION):
            batch = sources[at : at + _UNITS_OF_A_TRANSACTION]
            file.put(_SPACE, [Unit(source=s, target=s) for s in batch], 0.0, len(sources))
    seconds, size = time.perf_counter() - began_s, path.stat().st_size
    print(f"{len(sources)} units: {len(sources) / seconds:.0f}/s, {size / len(sources):.0f} B each")


async def _measure(memory: TranslationMemory, sources: Sequence[str]) -> None:
    choose = random.Random(1)
    asked = choose.sample(sources, _NUM_ASKED)
    for text in asked:  # and mark them as used, so that only look-ups are timed
        assert await memory.find(_SPACE, [text]) == [text]
    await _timed("equal", asked, lambda text: memory.find(_SPACE, [text]))
    await _timed("absent", [f"{text}?!" for text in asked], lambda t: memory.find(_SPACE, [t]))
    busy = [f"{text} And more." for text in asked]
    idle = await _lags(asyncio.sleep(_LAG_S))
    searching = await _lags(_searched(memory, busy))
    finding = await _lags(_found(memory, busy))
    print(f"a timer of the loop is late by: {idle} idle, {searching} during a search for similar")
    print(f"  sentences, {finding} while equal ones are looked for all the time")
    for share in _REPLACED:
        changed = [(text, _changed(text, share, sources, choose)) for text in asked]
        similar = [pair for pair in changed if MIN_SCORE <= similarity(*pair) < 1.0]
        await _timed("similar", [new for _, new in similar], lambda t: memory.suggest(_SPACE, [t]))
        found = 0
        for text, new in similar:
            (suggestions,) = await memory.suggest(_SPACE, [new])
            is_there = text in [each.source for each in suggestions]
            found += is_there or len(suggestions) == MAX_SUGGESTIONS
        print(f"  {share:.0%} of the words replaced: {found} of {len(similar)} found")


async def _lags(work: Awaitable[object]) -> str:
    """How late timers are while the work is done."""
    late = []
    task = asyncio.ensure_future(work)
    while not task.done():
        began_s = time.perf_counter()
        await asyncio.sleep(_TICK_S)
        late.append(1_000 * (time.perf_counter() - began_s - _TICK_S))
    await task
    cuts = statistics.quantiles(late, n=100)
    return f"{cuts[49]:.2f} ms ({cuts[98]:.2f})"


async def _searched(memory: TranslationMemory, texts: Sequence[str]) -> None:
    ends_s = time.perf_counter() + _LAG_S
    while time.perf_counter() < ends_s:
        await memory.suggest(_SPACE, texts)


async def _found(memory: TranslationMemory, texts: Sequence[str]) -> None:
    ends_s = time.perf_counter() + _LAG_S
    while time.perf_counter() < ends_s:
        await memory.find(_SPACE, texts)


def _changed(text: str, share: float, sources: Sequence[str], choose: random.Random) -> str:
    words = text.split()
    for index in choose.sample(range(len(words)), max(1, round(share * len(words)))):
        words[index] = choose.choice(choose.choice(sources).split())
    return " ".join(words)


async def _timed(
    name: str, texts: Sequence[str], look_up: Callable[[str], Awaitable[object]]
) -> None:
    times = []
    for text in texts:
        began_s = time.perf_counter()
        await look_up(text)
        times.append(1_000 * (time.perf_counter() - began_s))
    cuts = statistics.quantiles(times, n=100)
    print(f"{name}: median {cuts[49]:.2f} ms, 99th percentile {cuts[98]:.2f} ms")


if __name__ == "__main__":
    main()
