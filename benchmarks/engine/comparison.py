"""Speed of the engine against CTranslate2, transformers and Optimum: same weights and sentences.

Every contestant runs once in every round, so that a slow moment of the machine affects all equally.
Each uses the number of threads that was fastest in a trial. Every speed comes with BLEU and the
share of translations equal to those of CTranslate2 in float32. The models of the others are
converted in the run, from the checkpoint, or else from the first bundle.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from benchmarks.contestants.interface import Contestant, EngineName, Mode
from benchmarks.engine.contestants import prepare_contestants
from benchmarks.engine.reference_model import ModelName, ReferenceModel, read_pairs, trained_model
from benchmarks.engine.report import Row, print_rows, rows_of
from benchmarks.engine.rounds import Effort, Engines, Setting, enter, run_rounds
from benchmarks.engine.supplements import Extra, measure_extras
from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import record
from bundle.errors import BundleError
from bundle.reader import read_bundle
from model.errors import ModelError

_PACKAGES = (
    "onnxruntime",
    "ctranslate2",
    "transformers",
    "optimum-onnx",
    "torch",
    "numpy",
    "sentencepiece",
    "sacrebleu",
)
_EXAMPLES = """\
examples:
  a look, in a minute, against CTranslate2 only:
    python -m benchmarks.engine.comparison --bundles bundles/en-de --dev dev.tsv.xz \\
        --engines pellucid --rounds 1 --sentences 40 --extras
  all that is published of the default model:
    python -m benchmarks.engine.comparison --checkpoint runs/en-de/averaged.pt \\
        --bundles bundles/en-de bundles/en-de-fp32 --dev dev.tsv.xz \\
        --json benchmarks/results/engine-default.json
  a Transformer-base with random weights, on the lengths of the same sentences:
    python -m benchmarks.engine.comparison --model base --bundles bundles/en-de --dev dev.tsv.xz

docs/benchmarks.md says how to read the result.
"""


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    try:
        _run(arguments)
    except ModuleNotFoundError as error:
        print(
            f"{error.name} is not installed: `pip install '.[train,benchmarks]'`, or leave its "
            "engine out with --engines",
            file=sys.stderr,
        )
    except (BundleError, ModelError, OSError) as error:
        print(error, file=sys.stderr)
    else:
        return 0
    return 2


def _run(arguments: argparse.Namespace) -> None:
    where = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference_model = _subject(arguments, folder)
        contestants = prepare_contestants(reference_model, arguments.engines, folder)
        rows = _measure(arguments, reference_model, contestants)
        report = measure_extras(
            reference_model, contestants, arguments.extras, rounds=arguments.rounds
        )
    print(f"{where['processor']}, {where['cpus']} CPUs, load {where['load_average_before']} before")
    print(f"model {reference_model.name}, weights from: {reference_model.weights}")
    print_rows(rows)
    report.print()
    if arguments.json:
        result = {
            "machine": where,
            "versions": versions(*_PACKAGES),
            "commit": commit(),
            "data": {"file": arguments.dev.name, "sentences": len(reference_model.requests)},
            "weights": reference_model.weights,
            "rounds": arguments.rounds,
            "rows": [asdict(row) for row in rows],
            **asdict(report),
        }
        record(result, arguments.json)


def _subject(arguments: argparse.Namespace, folder: Path) -> ReferenceModel:
    bundles = [read_bundle(path) for path in arguments.bundles]
    pairs = read_pairs(arguments.dev)[: arguments.sentences]
    reference_model = trained_model(bundles, arguments.checkpoint, pairs)
    if arguments.model == "default":
        return reference_model
    from benchmarks.engine.random_model import random_model

    return random_model([len(r.source_ids) for r in reference_model.requests], folder)


def _measure(
    arguments: argparse.Namespace,
    reference_model: ReferenceModel,
    contestants: Sequence[Contestant],
) -> list[Row]:
    effort = Effort(
        rounds=arguments.rounds,
        sentences=arguments.sentences,
        slow_rounds=arguments.slow_rounds,
        slow_sentences=arguments.slow_sentences,
    )
    engines = Engines()
    entries = enter(
        contestants,
        _settings(arguments),
        reference_model.requests,
        effort,
        engines,
        num_cpus=len(os.sched_getaffinity(0)),
    )
    engines.keep(entries)
    run_rounds(entries, effort)
    rows = rows_of(reference_model, entries)
    engines.close()
    return rows


def _settings(arguments: argparse.Namespace) -> list[Setting]:
    sizes: dict[Mode, Sequence[int]] = {
        "batch": arguments.batches,
        "serving": arguments.serving_batches,
    }
    return [
        Setting(mode=mode, batch=batch, beam=beam)
        for mode in arguments.modes
        for batch in sizes[mode]
        for beam in arguments.beams
    ]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine.comparison",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", choices=get_args(ModelName), default="default", help="base: random weights")
    add("--bundles", type=Path, nargs="+", required=True, help="exports of the same network")
    add("--checkpoint", type=Path, help="what they were exported from; else the first bundle")
    add("--dev", type=Path, required=True, help="source <TAB> reference, plain or .xz")
    add(
        "--engines",
        nargs="+",
        choices=get_args(EngineName),
        default=get_args(EngineName),
        help="beside CTranslate2, which is always there",
    )
    add(
        "--modes",
        nargs="+",
        choices=get_args(Mode),
        default=get_args(Mode),
        help="batch: one caller; serving: through the scheduler, on all cores",
    )
    add("--batches", type=int, nargs="+", default=[1, 8, 32, 64], help="sentences at once")
    add("--serving-batches", type=int, nargs="+", default=[32], help="likewise, and per worker")
    add("--beams", type=int, nargs="+", default=[1, 4], help="1 is greedy")
    add("--sentences", type=int, default=300, help="how many of them")
    add("--rounds", type=int, default=5, help="runs of every contestant")
    add("--slow-sentences", type=int, default=64, help="for transformers and Optimum")
    add("--slow-rounds", type=int, default=2, help="likewise")
    add(
        "--extras",
        nargs="*",
        choices=get_args(Extra),
        default=get_args(Extra),
        help="what else to measure; nothing behind the flag leaves all out",
    )
    add("--json", type=Path, help="also write the result to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
