"""Fidelity on nasty texts, beside LibreTranslate with the same weights.

Both get every text of tests/service/fidelity once. An error or a missed deadline keeps no property.
docs/benchmarks.md says how to read the result.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from benchmarks.contestants.libretranslate import serving_libretranslate, version_in
from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import record
from benchmarks.harness.server_process import HOST, ServerProcess
from benchmarks.quality.fidelity.outcome import Outcome, outcome_of
from benchmarks.quality.fidelity.rows import print_rows, rows_by_category, rows_by_property
from bundle.reader import Bundle, read_bundle
from tests.service.fidelity.corpus import NASTY_TEXTS
from tests.service.fidelity.nasty_text import NastyText

_LIMITS = ("--max-text-chars", "1000000", "--max-body-bytes", "10000000", "--deadline-ms", "120000")
_PACKAGES = ("onnxruntime", "sentencepiece", "numpy")


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    where = {"machine": machine(), "commit": commit(), "versions": versions(*_PACKAGES)}
    # Texts with options of Pellucid alone do not compare.
    texts = [nasty for nasty in NASTY_TEXTS if not nasty.options]
    bundle = read_bundle(arguments.bundle)
    outcomes = _outcomes(texts, bundle, arguments.libretranslate)
    by_category, by_property = rows_by_category(texts, outcomes), rows_by_property(texts, outcomes)
    print_rows("category", by_category)
    print_rows("property", by_property)
    report = {
        **where,
        "bundle": arguments.bundle.name,
        "beam_size": bundle.manifest.decoding.beam_size,
        "by_category": [asdict(row) for row in by_category],
        "by_property": [asdict(row) for row in by_property],
        "faults": _faults(outcomes),
    }
    record(report, arguments.json)
    return 0


def _outcomes(
    texts: Sequence[NastyText], bundle: Bundle, peer: Path | None
) -> dict[str, list[Outcome]]:
    """Outcomes by contestant; Pellucid first, and alone without a `peer`."""
    pair = {"source": bundle.manifest.pairs[0].source, "target": bundle.manifest.pairs[0].target}
    with ServerProcess(str(bundle.path), flags=_LIMITS) as server:
        ours = _run(texts, f"http://{HOST}:{server.port}", pair, "pellucid")
    if peer is None:
        return {"pellucid": ours}
    name = f"libretranslate {version_in(peer)}"
    with serving_libretranslate(peer, bundle) as url:
        return {"pellucid": ours, name: _run(texts, url, pair, name)}


def _run(texts: Sequence[NastyText], url: str, pair: dict[str, str], name: str) -> list[Outcome]:
    progress = tqdm(texts, desc=name, disable=not sys.stderr.isatty())
    return [outcome_of(nasty, url, pair) for nasty in progress]


def _faults(outcomes: dict[str, list[Outcome]]) -> dict[str, dict[str, object]]:
    """Lost properties, by text and contestant."""
    found: dict[str, dict[str, object]] = {}
    for name, of_texts in outcomes.items():
        for outcome in of_texts:
            if outcome.error or outcome.faults:
                found.setdefault(outcome.id, {})[name] = outcome.error or outcome.faults
    return found


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"), metavar="FOLDER")
    parser.add_argument(
        "--libretranslate",
        type=Path,
        metavar="PYTHON",
        help="interpreter of an environment with libretranslate==1.9.6 and sentencex",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.exit(main())
