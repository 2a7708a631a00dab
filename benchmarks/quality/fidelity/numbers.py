"""Numbers, prices, dates and times through the service: kept, and written as the language does.

A case is right if its translation contains one of the accepted notations, whatever the spaces. With
a set of pairs BLEU and chrF of the translations are printed as well, so that what numbers gain is
no loss elsewhere.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from benchmarks.harness.server_process import ServerProcess
from benchmarks.quality.model import Client
from bundle.manifest import LanguagePair
from bundle.reader import read_bundle
from model.data.corpus import read_pairs
from service.text.checks import check

CASES = Path(__file__).parents[3] / "tests" / "data" / "numbers.tsv"
_FLAGS = ("--max-text-chars", "1000000", "--deadline-ms", "600000")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCase:
    """A sentence with a number and what its translation may call it."""

    kind: str
    pair: str
    source: str
    accepted: tuple[str, ...]

    def is_right(self, output: str) -> bool:
        """Whether the number is in `output`, by itself and in an accepted notation."""
        return any(_stands_in(answer, output) for answer in self.accepted)


def cases() -> list[NumberCase]:
    """All cases, of both directions."""
    rows = (line.split("\t") for line in CASES.read_text("utf-8").splitlines())
    return [
        NumberCase(kind=kind, pair=pair, source=source, accepted=tuple(answers.split("|")))
        for kind, pair, source, answers in rows
    ]


def _stands_in(answer: str, output: str) -> bool:
    """Whether `answer` is in `output` and no digit continues it."""
    text, wanted = "".join(output.split()), "".join(answer.split())
    at = text.find(wanted)
    while at >= 0:
        behind, before = text[at + len(wanted) :], text[:at]
        ends = not (wanted[-1].isdecimal() and _continues(behind))
        if ends and not (wanted[0].isdecimal() and _continues(before[::-1])):
            return True
        at = text.find(wanted, at + 1)
    return False


def _continues(text: str) -> bool:
    """Whether digits go on, perhaps behind a mark."""
    return text[:1].isdecimal() or (text[:1] in ".,:" and text[1:2].isdecimal())


def main() -> int:
    """Measure and print; return the exit code."""
    arguments = _parse()
    bundle = read_bundle(arguments.bundle)
    chosen = cases()
    result: dict[str, Any] = {"bundle": bundle.manifest.name}
    with ServerProcess(str(arguments.bundle), flags=_FLAGS) as server:
        for pair in bundle.manifest.pairs:
            client, name = Client(server.port, pair), f"{pair.source}-{pair.target}"
            of_pair = [case for case in chosen if case.pair == name]
            outputs = [text for text, _ in client.translate([c.source for c in of_pair], name)]
            result[name] = _summary(of_pair, outputs, pair)
            if arguments.dev:
                result[name]["dev"] = _scores(arguments, client, pair)
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 0


def _summary(
    chosen: Sequence[NumberCase], outputs: Sequence[str], pair: LanguagePair
) -> dict[str, Any]:
    """Right cases by kind; the wrong ones, and how many of them the check of numbers reports."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    wrong = []
    num_reported = 0
    for case, output in zip(chosen, outputs, strict=True):
        total[case.kind] += 1
        if case.is_right(output):
            right[case.kind] += 1
            continue
        found = check(case.source, output, pair.source, pair.target)
        num_reported += any(each.name == "number" for each in found)
        wrong.append([case.source, output])
    return {
        "right": f"{sum(right.values())} of {len(chosen)}",
        "by kind": {kind: f"{right[kind]} of {total[kind]}" for kind in total},
        "wrong and reported": f"{num_reported} of {len(wrong)}",
        "wrong": wrong,
    }


def _scores(arguments: argparse.Namespace, client: Client, pair: LanguagePair) -> dict[str, Any]:
    """BLEU and chrF of the first pairs of a set, whose first column is English."""
    rows = read_pairs(arguments.dev.name, arguments.dev.parent)[0][: arguments.limit]
    columns = [(p.source, p.target) if pair.source == "en" else (p.target, p.source) for p in rows]
    texts = [text for text, _ in client.translate([s for s, _ in columns], "dev")]
    bleu, references = BLEU(), [[reference for _, reference in columns]]
    return {
        "pairs": len(rows),
        "bleu": round(bleu.corpus_score(texts, references).score, 2),
        "chrf": round(CHRF().corpus_score(texts, references).score, 2),
        "signature": str(bleu.get_signature()),
    }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.fidelity.numbers", description=__doc__
    )
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"), metavar="FOLDER")
    parser.add_argument("--dev", type=Path, help="English TAB German, .tsv.xz")
    parser.add_argument("--limit", type=int, default=500, help="pairs of the set")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.exit(main())
