"""Hours of mixed traffic: checks memory growth, leaks, and that every reply is as expected.

The traffic has all dialects: native, DeepL's, streams, mark-up, files, attention maps, scores and
mistakes, with texts of one word to two thousand.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from tqdm import tqdm

from benchmarks.harness.machine import commit, machine
from benchmarks.harness.report import record
from benchmarks.harness.server_process import HOST, ServerProcess

_SENTENCES = Path(__file__).parents[1] / "harness" / "sentences.txt"
_MAX_WORDS = 2000
_HONEST = (429, 503, 504)
"""Overload and missed deadlines: expected on a busy machine."""
_GROWTH_LIMIT = 0.02
"""Allowed growth of the memory after warm-up, as a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The kernel's figures of the server."""

    seconds: float
    memory_mb: float
    descriptors: int
    threads: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of a run."""

    requests: dict[str, int]
    """By kind and status."""
    unexpected: int
    memory_growth: float
    """From the third fifth of the time to the last, as a share; before that is warm-up, until the
    longest text of each kind has been sent."""
    samples: list[Sample]

    @property
    def is_good(self) -> bool:
        """Whether nothing grew and every reply was as expected."""
        return not self.unexpected and self.memory_growth < _GROWTH_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request and its expected statuses."""

    name: str
    path: str
    content: dict[str, object]
    expected: tuple[int, ...] = (200,)
    file: bytes | None = None


class Questions:
    """Generates requests of every kind."""

    def __init__(self, sentences: Sequence[str], source: str, target: str, seed: int) -> None:
        self._chance = random.Random(seed)
        self._sentences = sentences
        self._source = source
        self._target = target
        self._kinds: dict[Callable[[], Question], int] = {
            self._native: 40,
            self._list: 10,
            self._html: 10,
            self._stream: 8,
            self._deepl: 15,
            self._file: 3,
            self._attention: 5,
            self._score: 3,
            self._mistake: 6,
        }

    def __iter__(self) -> Iterator[Question]:
        kinds, weights = list(self._kinds), list(self._kinds.values())
        while True:
            yield self._chance.choices(kinds, weights=weights)[0]()

    def _text(self, max_words: int = _MAX_WORDS) -> str:
        """A text of log-uniform length: short texts are frequent, long ones rare."""
        num_words = round(max_words ** self._chance.random())
        words: list[str] = []
        while len(words) < num_words:
            words += self._chance.choice(self._sentences).split()
        return " ".join(words[:num_words])

    def _ask(self, **fields: object) -> dict[str, object]:
        return {"source": self._source, "target": self._target, **fields}

    def _native(self) -> Question:
        choices: list[dict[str, object]] = [
            {},
            {"details": True},
            {"beam_size": 4, "alternatives": 2},
        ]
        extras = self._chance.choice(choices)
        return Question(
            name="native", path="/translate", content=self._ask(q=self._text(), **extras)
        )

    def _list(self) -> Question:
        texts = [self._text(30) for _ in range(self._chance.randint(1, 40))]
        return Question(name="list", path="/translate", content=self._ask(q=texts))

    def _html(self) -> Question:
        text = "".join(f"<p>{self._text(30)} <b>{self._text(5)}</b>.</p>" for _ in range(4))
        return Question(name="html", path="/translate", content=self._ask(q=text, format="html"))

    def _stream(self) -> Question:
        return Question(
            name="stream", path="/translate", content=self._ask(q=self._text(), stream=True)
        )

    def _deepl(self) -> Question:
        content: dict[str, object] = {
            "text": [self._text(200)],
            "source_lang": self._source.upper(),
            "target_lang": self._target.upper(),
        }
        return Question(name="deepl", path="/v2/translate", content=content)

    def _file(self) -> Question:
        lines = "\n".join(self._text(30) for _ in range(10))
        return Question(
            name="file", path="/translate_file", content=self._ask(), file=lines.encode()
        )

    def _attention(self) -> Question:
        content = self._ask(q=self._text(25), kinds=["encoder", "cross"])
        return Question(name="attention", path="/attention", content=content)

    def _score(self) -> Question:
        pair = {"source_text": self._text(20), "target_text": self._text(20)}
        return Question(name="score", path="/score", content=self._ask(pairs=[pair]))

    def _mistake(self) -> Question:
        mistakes = [
            self._ask(),
            self._ask(q="a") | {"target": "zz"},
            self._ask(q="x" * 40_000),
            self._ask(q="a", beam_size=99),
        ]
        content = self._chance.choice(mistakes)
        return Question(name="mistake", path="/translate", content=content, expected=(400,))


async def run(server: ServerProcess, arguments: argparse.Namespace) -> Verdict:
    """Run the clients, and sample the server periodically."""
    sentences = [s for s in _SENTENCES.read_text(encoding="utf-8").split("\n") if s]
    counts: Counter[str] = Counter()
    samples: list[Sample] = []
    until_s = time.monotonic() + 3600 * arguments.hours
    clients = [
        asyncio.create_task(
            _client(
                server.port,
                iter(Questions(sentences, arguments.source, arguments.target, seed)),
                counts,
                until_s,
            )
        )
        for seed in range(arguments.clients)
    ]
    await _watch(server, counts, samples, until_s, arguments)
    await asyncio.gather(*clients)
    return _judged(samples, counts)


async def _client(
    port: int, questions: Iterator[Question], counts: Counter[str], until_s: float
) -> None:
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=120) as client:
        while time.monotonic() < until_s:
            question = next(questions)
            if question.file is None:
                reply = await client.post(question.path, json=question.content)
            else:
                files = {"file": ("soak.txt", question.file, "text/plain")}
                form = {name: str(value) for name, value in question.content.items()}
                reply = await client.post(question.path, data=form, files=files)
            is_expected = reply.status_code in (*question.expected, *_HONEST)
            counts["requests"] += 1
            counts[f"{question.name} {reply.status_code}"] += 1
            if not is_expected:
                counts["unexpected"] += 1
                print(f"{question.name}: {reply.status_code} {reply.text[:200]}", file=sys.stderr)


async def _watch(
    server: ServerProcess,
    counts: Counter[str],
    samples: list[Sample],
    until_s: float,
    arguments: argparse.Namespace,
) -> None:
    started_s = time.monotonic()
    with tqdm(total=round(3600 * arguments.hours), unit="s", file=sys.stderr) as bar:
        while (now_s := time.monotonic()) < until_s:
            sample = Sample(
                seconds=round(now_s - started_s, 1),
                memory_mb=round(server.memory_mb(), 1),
                descriptors=server.num_descriptors(),
                threads=server.num_threads(),
                requests=counts["requests"],
            )
            samples.append(sample)
            bar.update(round(sample.seconds) - bar.n)
            bar.set_postfix(MB=sample.memory_mb, requests=sample.requests)
            await asyncio.sleep(min(arguments.every, max(0.0, until_s - now_s)))


def _judged(samples: list[Sample], counts: Counter[str]) -> Verdict:
    fifth = max(1, len(samples) // 5)
    early = _median([s.memory_mb for s in samples[2 * fifth : 3 * fifth]])
    late = _median([s.memory_mb for s in samples[-fifth:]])
    return Verdict(
        requests={name: n for name, n in sorted(counts.items()) if name != "unexpected"},
        unexpected=counts["unexpected"],
        memory_growth=round(late / early - 1, 4),
        samples=samples,
    )


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def main() -> int:
    """Run and print; returns 1 if something grew or a reply was not as expected."""
    arguments = _parse()
    where = machine()
    with ServerProcess(arguments.bundles) as server:
        verdict = asyncio.run(run(server, arguments))
    result = {"machine": where, "commit": commit(), "hours": arguments.hours, **asdict(verdict)}
    ends = [asdict(verdict.samples[0]), asdict(verdict.samples[-1])]
    print(json.dumps({**result, "samples": ends}, indent=2))
    record(result, arguments.json)
    return 0 if verdict.is_good else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--bundles", default="bundles/en-de", help="as for `pellucid serve`")
    parser.add_argument("--source", default="en", help="language of the texts")
    parser.add_argument("--target", default="de", help="language to translate to")
    parser.add_argument("--clients", type=int, default=6, help="at the same time")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two samples")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
