"""Whether causes are causes: deleting what a method names, and telling hallucinations apart.

*Deletion.* Of every sentence the k source tokens are deleted that a method gives most to, summed
over the translation; the fall of the translation's log-probability a token says how much they
mattered. Beside the methods stand attention (the mean of all heads, and the alignment head) and k
tokens at random. Language prefix and end token are never deleted.

*Hallucination.* The same translations are read once more with the source of another sentence, as
if the model had made them up. `source_share`, the mean over a translation, should be lower there.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.machine import commit, machine
from benchmarks.harness.report import publish
from benchmarks.quality.doubt import JUDGED, NUM_RESAMPLES, REFERENCES, interval
from bundle.reader import read_bundle
from export.calibration.doubt import area_under_curve
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.inspection import AttendRequest, IdPair, alignment_attention, run_pass
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from service.inspection.causes.methods import passes_of, shares_of
from service.inspection.values import METHODS, Method

SEED = 23
COUNTS = (1, 2, 3)
"""Source tokens that are deleted."""
NUM_RANDOM = 5
"""Draws of random tokens, of which the mean counts."""
CAUSES = METHODS[1:]
Float64 = NDArray[np.float64]
Scorer = Callable[[IdPair], Float64]
"""What each source token is worth, float64 [source]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A source and the translation of the bundle."""

    pair: IdPair
    deletable: tuple[int, ...]
    """Places of the tokens of its text."""


def sentences(sessions: Sessions, count: int) -> list[Sentence]:
    """The first judged sources that are long enough, translated greedily."""
    bundle = sessions.bundle
    options = DecodeOptions(max_target_tokens=bundle.manifest.max_target_tokens)
    found: list[Sentence] = []
    for row in (*rows_of(JUDGED), *rows_of(REFERENCES)):
        pair = bundle.manifest.pair(*_languages(row))
        assert pair is not None
        source = tuple(bundle.tokenizer.encode_source(row["source"], pair))
        ends = len(bundle.manifest.special_ids.ends_of_source)
        places = tuple(range(int(pair.source_prefix is not None), len(source) - ends))
        ((best, *_),) = decode_batch(sessions, [source], options)
        target = (*best.target_ids, bundle.manifest.special_ids.eos)
        if len(places) > max(COUNTS) and len(target) > 1:
            found.append(Sentence(pair=(source, target), deletable=places))
    return found[:count]


def contributions(
    sessions: Sessions, method: Method, pair: IdPair
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shares of the source, float32 [target, source], and of the decoder's inputs."""
    lengths = len(pair[0]), len(pair[1])
    outputs = [
        run_pass(sessions, AttendRequest(handle=0, pairs=(pair,), wanted=wanted)).pairs[0]
        for wanted in passes_of(method, lengths)
    ]
    return shares_of(method, outputs, lengths)


def mean_log_prob(sessions: Sessions, source: Sequence[int], target: Sequence[int]) -> float:
    """Of a token of the target, nats."""
    (found,) = attend(sessions, [source], [target], {"log_probs"})
    return float(found.log_probs.mean())


def scorers(sessions: Sessions) -> dict[str, Scorer]:
    """What is compared, by name; random tokens stand apart."""
    head = sessions.bundle.manifest.alignment_head

    def of_attention(pair: IdPair) -> Float64:
        (maps,) = attend(sessions, [pair[0]], [pair[1]], {"cross"})
        return np.asarray(maps.cross.mean(axis=(0, 1)).sum(axis=0), np.float64)

    def of_alignment(pair: IdPair) -> Float64:
        (maps,) = attend(sessions, [pair[0]], [pair[1]], {"cross"})
        return np.asarray(alignment_attention(maps, head).sum(axis=0), np.float64)

    def of_method(method: Method) -> Scorer:
        return lambda pair: np.asarray(
            contributions(sessions, method, pair)[0].sum(axis=0), np.float64
        )

    def of_whole_sentence(pair: IdPair) -> Float64:
        lengths = len(pair[0]), len(pair[1])
        worth: list[float] = []
        for wanted in passes_of("occlusion", lengths)[1:]:
            request = AttendRequest(handle=0, pairs=(pair,), wanted=wanted)
            whole, without = run_pass(sessions, request).pairs[0].layers
            worth += (whole - without).sum(axis=1).tolist()
        return np.array(worth[: lengths[0]])

    return {
        "attention, mean": of_attention,
        "attention, alignment head": of_alignment,
        **{method: of_method(method) for method in CAUSES},
        "occlusion, signed and not shared out": of_whole_sentence,
    }


def falls(sessions: Sessions, given: Sequence[Sentence]) -> dict[str, Float64]:
    """Fall of the mean log-probability by scorer, float64 [sentence, counts]."""
    found: dict[str, list[list[float]]] = {"random": []}
    random = np.random.default_rng(SEED)
    for sentence in given:
        source, target = sentence.pair
        whole = mean_log_prob(sessions, source, target)

        def fall(
            places: Sequence[int], pair: IdPair = sentence.pair, whole: float = whole
        ) -> float:
            left = [token for i, token in enumerate(pair[0]) if i not in places]
            return whole - mean_log_prob(sessions, left, pair[1])

        for name, scorer in scorers(sessions).items():
            worth = scorer(sentence.pair)
            order = sorted(sentence.deletable, key=lambda i: -worth[i])
            found.setdefault(name, []).append([fall(order[:count]) for count in COUNTS])
        draws = [random.permutation(sentence.deletable).tolist() for _ in range(NUM_RANDOM)]
        found["random"].append(
            [float(np.mean([fall(draw[:count]) for draw in draws])) for count in COUNTS]
        )
    return {name: np.array(values) for name, values in found.items()}


def shares(
    sessions: Sessions, given: Sequence[Sentence], method: Method
) -> tuple[Float64, NDArray[np.bool_]]:
    """Mean source share of true pairs and of those with another's source, and which are true."""
    order = np.random.default_rng(SEED).permutation(len(given))
    others = np.roll(order, 1)
    found, is_true = [], []
    for own, other in zip(order.tolist(), others.tolist(), strict=True):
        for source in (given[own], given[other]):
            pair = source.pair[0], given[own].pair[1]
            found.append(float(contributions(sessions, method, pair)[0].sum(axis=1).mean()))
            is_true.append(source is given[own])
    return np.array(found), np.array(is_true)


def mean_interval(values: Float64) -> list[float]:
    """Mean and its 95 % bootstrap interval, over sentences."""
    random = np.random.default_rng(0)
    chosen = random.integers(0, len(values), (NUM_RESAMPLES, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), (0.025, 0.975))
    return [round(float(value), 3) for value in (values.mean(), low, high)]


def figures(sessions: Sessions, count: int) -> dict[str, Any]:
    """All figures."""
    given = sentences(sessions, count)
    fall = falls(sessions, given)
    columns = list(enumerate(COUNTS))
    beside = ("attention, mean", "attention, alignment head", "random")
    more = {
        f"{method} less {other}": fall[method] - fall[other]
        for method in CAUSES
        for other in beside
    }
    hallucination = {}
    for method in CAUSES:
        share, is_true = shares(sessions, given, method)
        hallucination[method] = {
            "true": round(float(share[is_true].mean()), 3),
            "unrelated": round(float(share[~is_true].mean()), 3),
            "area_under_curve": round(area_under_curve(share, is_true), 3),
            "interval_95": interval(share, is_true),
        }
    return {
        "sentences": len(given),
        "fall": {n: {k: mean_interval(v[:, i]) for i, k in columns} for n, v in fall.items()},
        "difference": {n: {k: mean_interval(v[:, i]) for i, k in columns} for n, v in more.items()},
        "source_share": hallucination,
    }


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table of tab-separated values, by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _languages(row: dict[str, str]) -> tuple[str, str]:
    if "pair" in row:
        source, _, target = row["pair"].partition("->")
        return source, target
    return row["source_language"], row["target_language"]


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    bundle = read_bundle(arguments.bundle)
    result = {
        "machine": machine(),
        "commit": commit(),
        "bundle": str(arguments.bundle),
        "sha256": bundle.sha256,
        **figures(open_sessions(bundle), arguments.sentences),
    }
    publish(result, arguments.json)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.faithfulness", description=__doc__
    )
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument("--sentences", type=int, default=300)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
