"""Proves on many sentences that company changes nothing: `python -m tests.end_to_end.invariance`.

Every text is translated alone, then among others in random order, then through a running server
by several clients at once, greedy and beam requests mixed. Prints a table, and every difference.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from tqdm import tqdm

from bundle.manifest import LanguagePair
from tests.end_to_end.company import (
    KINDS,
    Asked,
    Company,
    Outcome,
    Progress,
    shuffled,
    through_server,
)
from tests.end_to_end.varied_texts import load_sentences, varied_texts
from tests.service.server_process import ServerProcess, serving

BATCH_SIZES = (2, 8, 32)
CLIENTS = (1, 8, 32)
MAX_SCORE_ERROR = 1e-4
"""In nats. Of text no difference is tolerated."""
Result = TypeVar("Result")
_EXAMPLES = """\
examples:
  python -m tests.end_to_end.invariance dev.tsv.xz
  python -m tests.end_to_end.invariance sentences.txt --bundle bundles/en-de --texts 100 --seeds 1
"""


class _Translate(Protocol):
    def __call__(self, asked: Sequence[Asked], *, progress: Progress) -> list[Outcome]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A way of translating that is to change nothing."""

    name: str
    seed: int
    translate: _Translate


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How often one way of translating differed from translating alone."""

    name: str
    num_texts: int
    differing: tuple[tuple[Asked, Outcome, Outcome], ...]
    """What was asked, what it gives alone, what it gave here."""
    score_error: float

    @property
    def is_passed(self) -> bool:
        """Whether company changed nothing."""
        return not self.differing and self.score_error <= MAX_SCORE_ERROR


def compare(
    name: str, asked: Sequence[Asked], outcomes: Sequence[Outcome], alone: Mapping[Asked, Outcome]
) -> Run:
    """Compare what was given in company with what each text gives alone."""
    both = [(one, alone[one], outcome) for one, outcome in zip(asked, outcomes, strict=True)]
    alike = [(expected, got) for _, expected, got in both if expected.is_like(got)]
    return Run(
        name=name,
        num_texts=len(both),
        differing=tuple(each for each in both if not each[1].is_like(each[2])),
        score_error=max((expected.score_error(got) for expected, got in alike), default=0.0),
    )


def measure(bundle: Path, texts: Sequence[str], num_seeds: int) -> list[Run]:
    """Translate `texts` in every way."""
    num_alone = len(KINDS) * len(texts)
    with Company(bundle) as company:
        alone = _shown("alone", num_alone, lambda progress: company.alone(texts, progress))
        runs = [_run(way, texts, alone) for way in _batches(company, num_seeds)]
    with tempfile.TemporaryDirectory() as folder, serve(bundle, Path(folder)) as server:
        return [*runs, *(_run(way, texts, alone) for way in _clients(server, company.pair))]


def serve(bundle: Path, folder: Path) -> AbstractContextManager[ServerProcess]:
    """A server of two engine processes; `folder` is for its log."""
    flags = ("--bundles", str(bundle.absolute()), "--engines", "2", "--max-text-chars", "100000")
    return serving(folder, *flags)


def _batches(company: Company, num_seeds: int) -> Iterator[_Way]:
    for size in BATCH_SIZES:
        for seed in range(num_seeds):
            translate = partial(company.together, num_texts=size)
            yield _Way(name=f"{size} side by side, order {seed}", seed=seed, translate=translate)


def _clients(server: ServerProcess, pair: LanguagePair) -> Iterator[_Way]:
    for num_clients in CLIENTS:
        translate = partial(through_server, server.url, pair, num_clients=num_clients)
        yield _Way(name=f"server, {num_clients} clients", seed=num_clients, translate=translate)


def _run(way: _Way, texts: Sequence[str], alone: Mapping[Asked, Outcome]) -> Run:
    asked = shuffled(texts, seed=way.seed)
    outcomes = _shown(
        way.name, len(asked), lambda progress: way.translate(asked, progress=progress)
    )
    return compare(way.name, asked, outcomes, alone)


def _shown(name: str, total: int, work: Callable[[Progress], Result]) -> Result:
    with tqdm(total=total, desc=name, unit="text", file=sys.stderr) as bar:
        return work(bar.update)


def main() -> int:
    """Run everything; returns the exit code, 1 if company changed anything."""
    arguments = _parse()
    sentences = load_sentences(arguments.sentences)
    texts = varied_texts(sentences, arguments.texts, seed=1)
    runs = measure(arguments.bundle, texts, arguments.seeds)
    print(f"{arguments.bundle}: {len(texts)} texts against what each gives alone")
    print(f"{'':28s}{'differing':>12s}{'largest score error':>22s}")
    for run in runs:
        print(f"{run.name:28s}{len(run.differing):12d}{run.score_error:22.1e}")
    for run in runs:
        _print_differences(run)
    return 0 if all(run.is_passed for run in runs) else 1


def _print_differences(run: Run) -> None:
    for asked, expected, got in run.differing:
        print(f"\n{run.name}, {dict(KINDS[asked.kind])}: {asked.text}")
        print(f"  alone:   {expected.texts} {expected.finish_reasons}")
        print(f"  instead: {got.texts} {got.finish_reasons}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.end_to_end.invariance",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sentences", type=Path, help="sentences or pairs in the bundle's language, one a line"
    )
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"), help="its folder")
    parser.add_argument("--texts", type=int, default=1000, help="to be made of the sentences")
    parser.add_argument("--seeds", type=int, default=5, help="random orders of each batch size")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
