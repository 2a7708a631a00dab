"""How well confidence tells good translations from bad ones, on 300 sentences judged by reading.

`judged.tsv` has sentences that were written for this purpose, their translations by the embedded
bundle of the time, and whether a reader accepts each; judged before any score was computed. A
translation that has changed since is left out: its judgement is not known. Greetings and labels of
buttons are few, so some are training text, too: the figures without those stand beside.

`judged_references.tsv` has 90 pairs of the development set, judged likewise: how well the rule that
calibrates confidence agrees with readers, beside plain chrF.
"""

import argparse
import csv
import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.machine import commit, machine
from benchmarks.harness.report import publish
from benchmarks.harness.server_process import ServerProcess
from benchmarks.quality.model import Client
from bundle.manifest import LanguagePair
from bundle.reader import read_bundle
from export.calibration.doubt import (
    MAX_DEVIATION,
    area_under_curve,
    deviation,
    reliability,
)
from model.data.corpus import read_pairs

JUDGED = Path(__file__).with_name("judged.tsv")
REFERENCES = Path(__file__).with_name("judged_references.tsv")
CONFIGS = Path(__file__).parents[2] / "model" / "configs"
NUM_RESAMPLES = 2_000
LOW_MEAN, LOW_TOKEN = -0.5, -1.94
"""Limits of the first measurement, on 62 other sentences: 33 of 50 bad and 1 of 12 good, 30 and
0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A translation, its judgement, and what the service says of it."""

    pair: str
    is_acceptable: bool
    confidence: float
    """Product over its sentences."""
    mean: float
    """Mean log-probability of a token, nats."""
    lowest: float
    """Lowest log-probability of a token, nats."""
    has_checks: bool
    is_known: bool
    """Whether the source is training text."""


def training_texts(paths: Sequence[Path]) -> set[str]:
    """Both sides of parallel text."""
    pairs = [pair for path in paths for pair in read_pairs(path.name, path.parent)[0]]
    return {text for pair in pairs for text in (pair.source, pair.target)}


def rows(path: Path) -> list[dict[str, str]]:
    """Lines of a judged file, by the names of its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def judged(path: Path, port: int, known: Container[str]) -> tuple[list[Judged], int]:
    """Sentences whose translation is still the one that was judged, and the number of others.

    Args:
        path: As `judged.tsv`.
        port: Of a server.
        known: Training text.
    """
    all_rows = rows(path)
    found: list[Judged] = []
    for (source, target), group in groupby(all_rows, key=_languages):
        own = list(group)
        pair = LanguagePair(source=source, target=target)
        answers = Client(port, pair).translate([row["source"] for row in own], str(pair))
        found += [
            _judged(row, sentences, is_known=row["source"] in known)
            for row, (text, sentences) in zip(own, answers, strict=True)
            if text == row["translation"]
        ]
    return found, len(all_rows) - len(found)


def rule(path: Path = REFERENCES) -> dict[str, float]:
    """How the rule that calibrates confidence agrees with readers."""
    references = rows(path)
    is_good = np.array([row["acceptable"] == "1" for row in references])
    pairs = [(row["translation"], row["reference"]) for row in references]
    far = np.array([deviation(*pair) for pair in pairs])
    chrf = far / np.sqrt([len(reference) for _, reference in pairs])
    return {
        "pairs": len(references),
        "acceptable": int(is_good.sum()),
        "accepted by the rule": int((far <= MAX_DEVIATION).sum()),
        "area of the rule": round(area_under_curve(-far, is_good), 3),
        "area of plain chrF": round(area_under_curve(-chrf, is_good), 3),
    }


def figures(cases: Sequence[Judged]) -> dict[str, Any]:
    """All figures of some sentences."""
    is_good = np.array([case.is_acceptable for case in cases])
    confidence = np.array([case.confidence for case in cases])
    means = np.array([case.mean for case in cases])
    lowest = np.array([case.lowest for case in cases])
    has_checks = np.array([case.has_checks for case in cases])
    return {
        "sentences": len(cases),
        "acceptable": int(is_good.sum()),
        "area_under_curve": round(area_under_curve(confidence, is_good), 3),
        "interval_95": interval(confidence, is_good),
        "area_of_mean": round(area_under_curve(means, is_good), 3),
        "area_of_lowest_token": round(area_under_curve(lowest, is_good), 3),
        "mean_confidence": round(float(confidence.mean()), 3),
        "brier": round(float(((confidence - is_good) ** 2).mean()), 3),
        "bins": [bin_.model_dump() for bin_ in reliability(confidence, is_good)],
        "flagged": {
            "confidence < 0.5": _flagged(confidence < 0.5, is_good),
            "checks": _flagged(has_checks, is_good),
            "either": _flagged((confidence < 0.5) | has_checks, is_good),
            f"mean < {LOW_MEAN}": _flagged(means < LOW_MEAN, is_good),
            f"lowest < {LOW_TOKEN}": _flagged(lowest < LOW_TOKEN, is_good),
        },
    }


def interval(scores: NDArray[np.float64], is_good: NDArray[np.bool_]) -> list[float]:
    """95 % bootstrap interval of the area under the curve, over sentences."""
    random = np.random.default_rng(0)
    areas: list[float] = []
    while len(areas) < NUM_RESAMPLES:
        chosen = random.integers(0, len(scores), len(scores))
        if 0 < is_good[chosen].sum() < len(chosen):
            areas.append(area_under_curve(scores[chosen], is_good[chosen]))
    return [round(float(np.quantile(areas, share)), 3) for share in (0.025, 0.975)]


def _languages(row: dict[str, str]) -> tuple[str, str]:
    return row["source_language"], row["target_language"]


def _judged(row: dict[str, str], sentences: Sequence[dict[str, Any]], *, is_known: bool) -> Judged:
    log_probs = np.concatenate([s["token_scores"] for s in sentences])
    return Judged(
        pair="->".join(_languages(row)),
        is_acceptable=row["acceptable"] == "1",
        confidence=float(np.prod([s["confidence"] for s in sentences])),
        mean=float(log_probs.mean()),
        lowest=float(log_probs.min()),
        has_checks=any(s["checks"] for s in sentences),
        is_known=is_known,
    )


def _flagged(flags: NDArray[np.bool_], is_good: NDArray[np.bool_]) -> dict[str, str]:
    return {
        "bad": f"{int((flags & ~is_good).sum())} of {int((~is_good).sum())}",
        "good": f"{int((flags & is_good).sum())} of {int(is_good.sum())}",
    }


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    with ServerProcess(str(arguments.bundle)) as server:
        known = training_texts([*sorted(CONFIGS.glob("*.tsv")), *arguments.training])
        cases, num_changed = judged(arguments.judged, server.port, known)
    result = {
        "machine": machine(),
        "commit": commit(),
        "bundle": str(arguments.bundle),
        "sha256": read_bundle(arguments.bundle).sha256,
        "changed_translations_left_out": num_changed,
        "rule": rule(),
        "both": figures(cases),
        "not in training text": figures([case for case in cases if not case.is_known]),
        **{
            pair: figures([case for case in cases if case.pair == pair])
            for pair in sorted({case.pair for case in cases})
        },
    }
    publish(result, arguments.json)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.doubt", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument("--judged", type=Path, default=JUDGED, help="as judged.tsv")
    parser.add_argument(
        "--training",
        type=Path,
        nargs="*",
        default=[],
        help="further training text than that of model/configs: source, tab, target; .xz or not",
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
