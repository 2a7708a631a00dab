"""Speed of our engine against CTranslate2: same weights, same sentences, same process.

Every contestant runs once in every round, so that a slow moment of the machine hits all alike.
Each uses the number of threads that was fastest for it in a trial. Beside every speed stands
what it gave: BLEU, and the share of translations equal to those of CTranslate2 in float32.
"""

import argparse
import json
import lzma
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import sacrebleu
from tqdm import tqdm

from benchmarks.contestants import Contestant, CTranslate2, Ours
from benchmarks.ctranslate2_model import convert
from benchmarks.machine import commit, machine, versions
from benchmarks.step_time import StepTime, measure_steps
from bundle.reader import Bundle, read_bundle
from model.checkpoint import load_checkpoint

_THREADS = (1, 2)
_TRIAL_SENTENCES = 64
_PACKAGES = ("onnxruntime", "ctranslate2", "numpy", "sentencepiece", "sacrebleu")
_EXAMPLES = """\
example:
  python -m benchmarks.engine --checkpoint runs/en-de-small/averaged.pt \\
      --bundles bundles/en-de-fp32 bundles/en-de --dev dev.tsv.xz --json engine.json
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How sentences are given to an engine."""

    batch: int
    beam: int


@dataclass(slots=True, kw_only=True)
class Entry:
    """A contestant in a setting, and what its runs gave so far."""

    contestant: Contestant
    setting: Setting
    target_ids: list[list[int]]
    seconds: list[float]

    def run(self, sources: Sequence[Sequence[int]]) -> None:
        """Translate everything once more."""
        self.target_ids, elapsed_s = _timed(self.contestant, self.setting, sources)
        self.seconds.append(elapsed_s)

    @property
    def speeds(self) -> list[float]:
        """Output tokens per second of every run, end tokens included."""
        num_tokens = sum(len(ids) + 1 for ids in self.target_ids)
        return [num_tokens / elapsed_s for elapsed_s in self.seconds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result."""

    model: str
    engine: str
    precision: str
    batch: int
    beam: int
    mode: str
    """`one by one`, `sorted` (batch after batch) or `continuous` (rows are refilled)."""
    threads: int
    tokens_per_s: float
    """Median over the rounds."""
    spread: float
    """(fastest - slowest) / median."""
    ratio_to_ct2_int8: float
    identical: float
    """Share of translations equal to those of CTranslate2 float32 with the same beam."""
    bleu: float


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    bundles = [read_bundle(folder) for folder in arguments.bundles]
    pairs = _read_pairs(arguments.dev)[: arguments.sentences]
    sources = [_encode(bundles[0], text) for text, _ in pairs]
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        model_folder = Path(folder) / "ctranslate2"
        convert(load_checkpoint(arguments.checkpoint), model_folder)
        settings = [Setting(batch=a, beam=b) for a in arguments.batches for b in arguments.beams]
        contestants = _contestants(arguments.bundles, bundles[0], model_folder)
        entries = _entries(contestants, settings, sources)
        _run_rounds(entries, sources, arguments.rounds)
    rows = _rows(entries, bundles[0], [reference for _, reference in pairs])
    steps = [
        step
        for path in arguments.bundles
        for step in measure_steps(path, sources[0], rows=1, rounds=arguments.rounds)
    ]
    _print(rows, steps, where)
    if arguments.json:
        result = {
            "machine": where,
            "versions": versions(*_PACKAGES),
            "commit": commit(),
            "data": {"file": arguments.dev.name, "sentences": len(pairs)},
            "rounds": arguments.rounds,
            "rows": [asdict(row) for row in rows],
            "steps": [asdict(step) for step in steps],
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


def _contestants(
    folders: Sequence[Path], bundle: Bundle, model_folder: Path
) -> list[list[Contestant]]:
    """Each contestant with every number of threads."""
    vocab_size = bundle.manifest.architecture.vocab_size
    pieces = bundle.tokenizer.target_pieces(range(vocab_size))
    rivals: list[list[Contestant]] = [
        [
            CTranslate2(
                model_folder,
                pieces,
                precision=precision,
                threads=threads,
                max_target_tokens=bundle.manifest.max_target_tokens,
            )
            for threads in _THREADS
        ]
        for precision in ("float32", "int8")
    ]
    ours: list[list[Contestant]] = [
        [Ours(folder, threads=threads) for threads in _THREADS] for folder in folders
    ]
    return [*rivals, *ours]


def _entries(
    contestants: Sequence[Sequence[Contestant]],
    settings: Sequence[Setting],
    sources: Sequence[Sequence[int]],
) -> list[Entry]:
    """Every contestant in every setting, with the number of threads that suits it best."""
    entries = []
    trials = [(setting, choices) for setting in settings for choices in contestants]
    for setting, choices in tqdm(trials, desc="threads", unit="trial", file=sys.stderr):
        sample = sources[:_TRIAL_SENTENCES]
        fastest = min(choices, key=lambda choice: _timed(choice, setting, sample)[1])
        entries.append(Entry(contestant=fastest, setting=setting, target_ids=[], seconds=[]))
    return entries


def _run_rounds(entries: Sequence[Entry], sources: Sequence[Sequence[int]], rounds: int) -> None:
    runs = [entry for _ in range(rounds) for entry in entries]
    for entry in tqdm(runs, desc="rounds", unit="run", file=sys.stderr):
        entry.run(sources)


def _timed(
    contestant: Contestant, setting: Setting, sources: Sequence[Sequence[int]]
) -> tuple[list[list[int]], float]:
    started_s = time.perf_counter()
    target_ids = contestant.translate(sources, batch=setting.batch, beam=setting.beam)
    return target_ids, time.perf_counter() - started_s


def _rows(entries: Sequence[Entry], bundle: Bundle, references: Sequence[str]) -> list[Row]:
    by_name = {(e.contestant.engine, e.contestant.precision, e.setting): e for e in entries}
    rows = []
    for entry in entries:
        speed = statistics.median(entry.speeds)
        peer = by_name["ctranslate2", "int8", entry.setting]
        exact = by_name["ctranslate2", "float32", entry.setting]
        pairs = zip(entry.target_ids, exact.target_ids, strict=True)
        texts = [bundle.tokenizer.decode_target(ids) for ids in entry.target_ids]
        rows.append(
            Row(
                model=bundle.manifest.name,
                engine=entry.contestant.engine,
                precision=entry.contestant.precision,
                batch=entry.setting.batch,
                beam=entry.setting.beam,
                mode=_mode(entry),
                threads=entry.contestant.threads,
                tokens_per_s=round(speed, 1),
                spread=round((max(entry.speeds) - min(entry.speeds)) / speed, 3),
                ratio_to_ct2_int8=round(speed / statistics.median(peer.speeds), 3),
                identical=round(sum(a == b for a, b in pairs) / len(texts), 4),
                bleu=round(sacrebleu.corpus_bleu(texts, [references]).score, 2),
            )
        )
    return rows


def _mode(entry: Entry) -> str:
    if entry.setting.batch == 1:
        return "one by one"
    return "continuous" if entry.contestant.refills_rows else "sorted"


def _print(rows: Sequence[Row], steps: Sequence[StepTime], where: dict[str, object]) -> None:
    print(f"{where['processor']}, {where['cpus']} CPUs, load {where['load_average_before']} before")
    print("engine       precision batch beam threads   tok/s  spread  x CT2 int8  identical   BLEU")
    for row in rows:
        print(
            f"{row.engine:12} {row.precision:9} {row.batch:5d} {row.beam:4d} {row.threads:7d} "
            f"{row.tokens_per_s:7.0f} {row.spread:7.1%} {row.ratio_to_ct2_int8:11.2f} "
            f"{row.identical:10.1%} {row.bleu:6.2f}"
        )
    print("\na step by what was decoded before it; the last column is what attention accounts for")
    print("precision rows  past       ms   x first  x first in multiplications")
    for step in steps:
        print(
            f"{step.precision:9} {step.rows:4d} {step.past:5d} {step.median_ms:8.3f} "
            f"{step.against_first:9.2f} {step.multiplications_against_first:27.2f}"
        )


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    """Source and target, the first two columns of a tab-separated file."""
    content = path.read_bytes()
    text = (lzma.decompress(content) if path.suffix == ".xz" else content).decode()
    columns = [line.split("\t") for line in text.splitlines() if line]
    return [(line[0], line[1]) for line in columns]


def _encode(bundle: Bundle, text: str) -> list[int]:
    return bundle.tokenizer.encode_source(text, bundle.manifest.pairs[0])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="what CTranslate2's model is made from"
    )
    parser.add_argument(
        "--bundles", type=Path, nargs="+", required=True, help="exports of the same checkpoint"
    )
    parser.add_argument(
        "--dev", type=Path, required=True, help="source <TAB> reference, plain or .xz"
    )
    parser.add_argument("--sentences", type=int, default=300, help="how many of them")
    parser.add_argument("--rounds", type=int, default=5, help="runs of every contestant")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32], help="sentences at once")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4], help="1 is greedy")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
