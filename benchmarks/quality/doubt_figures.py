"""Would another figure tell good translations from bad ones better?

Confidence is computed from the mean and the sum of the token log-probabilities. Each of these
figures is fitted beside them on held-out text, as the export does, and judged on `judged.tsv` as
`benchmarks.quality.doubt` does; nothing is fitted to the judgements. All but one cost nothing where
the translation is there. `round trip`, the mean log-probability of the source given its translation
by the same bundle's other direction, costs a forced pass; its time is printed beside that of the
search.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.machine import commit, machine
from benchmarks.quality.doubt import CONFIGS, JUDGED, rows, training_texts
from bundle.doubt import word_log_probs
from bundle.manifest import LanguagePair
from bundle.reader import Bundle, read_bundle
from export.calibration.doubt import MAX_DEVIATION, area_under_curve, deviation, fit_logistic
from export.sentences.development_set import held_out
from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.offline import decode_batch, decode_requests
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions, Hypothesis

NUM_SLOTS = 32
NUM_RESAMPLES = 2_000
BASE = ("mean", "sum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A sentence, what the search found, and whether that is right."""

    source: str
    pair: LanguagePair
    hypotheses: tuple[Hypothesis, ...]
    """Best first."""
    text: str
    """Of the best."""
    backwards: tuple[float, ...]
    """Log-probabilities of the source's tokens given the translation, nats."""
    is_good: bool

    @property
    def log_probs(self) -> NDArray[np.float64]:
        """Of the best hypothesis' tokens, nats, float64 [target]."""
        return np.array(self.hypotheses[0].token_log_probs)


def beam_share(case: Case) -> float:
    """Log of the best hypothesis' share of the probability of all that the beam finished."""
    totals = np.array([hypothesis.log_prob for hypothesis in case.hypotheses])
    return float(-np.log(np.exp(totals - totals[0]).sum()))


def disagreement(case: Case) -> float:
    """Share of the tokens in which the other hypotheses differ from the best."""
    best, *others = (hypothesis.target_ids for hypothesis in case.hypotheses)
    alike = [SequenceMatcher(None, best, other, autojunk=False).ratio() for other in others]
    return 1 - float(np.mean(alike)) if alike else 0.0


def lowest_word(case: Case, bundle: Bundle) -> float:
    """Log-probability of the least likely word, nats."""
    best = case.hypotheses[0]
    text, spans = bundle.tokenizer.target_text_and_spans(best.target_ids)
    rated = word_log_probs(text, spans, best.token_log_probs)
    return min((log_prob for _, log_prob in rated), default=0.0)


def pieces_per_word(case: Case, bundle: Bundle) -> float:
    """Of the source: words that the vocabulary does not have are cut into many."""
    ids = bundle.tokenizer.encode_source(case.source, case.pair)
    return len(ids) / max(1, len(case.source.split()))


def copied(case: Case) -> float:
    """Share of the words that are words of the source."""
    words = case.text.lower().split()
    known = {*case.source.lower().split()}
    return sum(word in known for word in words) / max(1, len(words))


def figures_of(case: Case, bundle: Bundle) -> dict[str, float]:
    """All figures of a sentence, those that confidence has first."""
    log_probs = case.log_probs
    lowest = np.sort(log_probs)
    num_source = len(bundle.tokenizer.encode_source(case.source, case.pair))
    return {
        "mean": float(log_probs.mean()),
        "sum": float(log_probs.sum()),
        "lowest token": float(lowest[0]),
        "three lowest tokens": float(lowest[:3].sum()),
        "end token": float(log_probs[-1]),
        "spread of tokens": float(log_probs.std()),
        "expected wrong tokens": float((1 - np.exp(log_probs)).sum()),
        "lowest word": lowest_word(case, bundle),
        "length ratio": abs(float(np.log(len(log_probs) / num_source))),
        "pieces per source word": pieces_per_word(case, bundle),
        "copied words": copied(case),
        "share of the beam": beam_share(case),
        "disagreement of the beam": disagreement(case),
        "round trip": float(np.mean(case.backwards)) if case.backwards else -10.0,
    }


def search(sessions: Sessions, sources: Sequence[Sequence[int]]) -> list[tuple[Hypothesis, ...]]:
    """All hypotheses of the bundle's own search."""
    manifest = sessions.bundle.manifest
    beam = manifest.decoding.beam_size
    options = DecodeOptions(
        beam_size=beam,
        num_hypotheses=beam,
        length_penalty=manifest.decoding.length_penalty,
        max_target_tokens=manifest.max_target_tokens,
    )
    return decode_batch(sessions, sources, options)


def backwards(
    sessions: Sessions, texts: Sequence[tuple[str, str]], pair: LanguagePair
) -> list[tuple[float, ...]]:
    """Log-probabilities of sources given translations, by the other direction.

    Args:
        sessions: Of a bundle that translates both ways.
        texts: Translations and their sources.
        pair: The other direction.
    """
    manifest, tokenizer = sessions.bundle.manifest, sessions.bundle.tokenizer
    found: list[tuple[float, ...]] = [()] * len(texts)
    asked = []
    for index, (translation, source) in enumerate(texts):
        ids, forced = tokenizer.encode_source(translation, pair), tokenizer.encode_target(source)
        if len(ids) <= manifest.max_source_tokens and len(forced) <= manifest.max_target_tokens:
            options = DecodeOptions(prefix_ids=tuple(forced[:-1]), max_target_tokens=len(forced))
            asked.append(DecodeRequest(handle=index, source_ids=tuple(ids), options=options))
    asked.sort(key=lambda request: -len(request.source_ids))
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=NUM_SLOTS)
    for finished in decode_requests(decoder, asked, num_prefilled=NUM_SLOTS):
        # The last token is what the search wrote behind the source, were it the end or not.
        found[finished.handle] = finished.hypotheses[0].token_log_probs[:-1]
    return found


def cases(
    sessions: Sessions,
    texts: Sequence[str],
    pair: LanguagePair,
    is_good: Callable[[int, str], bool],
) -> list[Case]:
    """Translates sentences of a direction.

    Args:
        sessions: Of the bundle.
        texts: The sentences.
        pair: Their direction.
        is_good: Whether a translation is right, by the sentence's index.
    """
    tokenizer, manifest = sessions.bundle.tokenizer, sessions.bundle.manifest
    found = search(sessions, [tokenizer.encode_source(text, pair) for text in texts])
    outputs = [tokenizer.decode_target(each[0].target_ids) for each in found]
    turned = manifest.pair(pair.target, pair.source)
    back: list[tuple[float, ...]] = [()] * len(texts)
    if turned is not None:
        back = backwards(sessions, list(zip(outputs, texts, strict=True)), turned)
    return [
        Case(
            source=text,
            pair=pair,
            hypotheses=hypotheses,
            text=output,
            backwards=log_probs,
            is_good=is_good(index, output),
        )
        for index, (text, hypotheses, output, log_probs) in enumerate(
            zip(texts, found, outputs, back, strict=True)
        )
    ]


def compared(
    held_out_figures: Mapping[str, NDArray[np.float64]],
    is_accepted: NDArray[np.bool_],
    judged_figures: Mapping[str, NDArray[np.float64]],
    is_good: NDArray[np.bool_],
) -> dict[str, Any]:
    """The area under the curve with each figure, and what it adds to that of the two.

    Args:
        held_out_figures: To fit on, each float64 [held out].
        is_accepted: By the rule of the export, bool [held out].
        judged_figures: To judge by, each float64 [judged].
        is_good: By a reader, bool [judged].
    """

    def scores(*names: str) -> NDArray[np.float64]:
        inputs = np.stack([held_out_figures[name] for name in names], axis=1)
        bias, *weights = fit_logistic(inputs, is_accepted)
        return bias + np.stack([judged_figures[name] for name in names], axis=1) @ weights

    base = scores(*BASE)
    found: dict[str, Any] = {"mean and sum": round(area_under_curve(base, is_good), 4)}
    for name in held_out_figures:
        if name not in BASE:
            other = scores(*BASE, name)
            found[f"and {name}"] = {
                "area": round(area_under_curve(other, is_good), 4),
                "gain_95": gain(base, other, is_good),
            }
    return found


def gain(
    base: NDArray[np.float64], other: NDArray[np.float64], is_good: NDArray[np.bool_]
) -> list[float]:
    """95 % bootstrap interval of the difference of two areas, over the same sentences."""
    random = np.random.default_rng(0)
    found: list[float] = []
    while len(found) < NUM_RESAMPLES:
        chosen = random.integers(0, len(base), len(base))
        if 0 < is_good[chosen].sum() < len(chosen):
            good = is_good[chosen]
            areas = [area_under_curve(scores[chosen], good) for scores in (base, other)]
            found.append(areas[1] - areas[0])
    return [round(float(np.quantile(found, share)), 4) for share in (0.025, 0.975)]


def judged_cases(sessions: Sessions, path: Path) -> list[Case]:
    """The judged sentences whose translation is still the one that was judged."""
    found: list[Case] = []
    for pair in sessions.bundle.manifest.pairs:
        own = [
            row
            for row in rows(path)
            if (row["source_language"], row["target_language"]) == (pair.source, pair.target)
        ]
        texts = [row["source"] for row in own]
        translated = cases(sessions, texts, pair, partial(_is_acceptable, own))
        found += [
            case
            for case, row in zip(translated, own, strict=True)
            if case.text == row["translation"]
        ]
    return found


def held_out_cases(sessions: Sessions, path: Path) -> list[Case]:
    """The sentences of held-out text, by the rule of the export."""
    found: list[Case] = []
    for dev in held_out(sessions.bundle, path):
        texts = [pair.source for pair in dev.pairs]
        found += cases(
            sessions,
            texts,
            dev.pair,
            partial(_is_close, dev.references),
        )
    return [case for case in found if case.hypotheses[0].has_ended]


def cost(sessions: Sessions, sample: Sequence[Case], rounds: int = 3) -> float:
    """Time of the round trip over that of the search, the median of interleaved rounds."""
    pair, manifest = sample[0].pair, sessions.bundle.manifest
    turned = manifest.pair(pair.target, pair.source)
    assert turned is not None
    own = [case for case in sample if case.pair == pair]
    sources = [sessions.bundle.tokenizer.encode_source(case.source, pair) for case in own]
    ratios = []
    for _ in range(rounds):
        began = time.perf_counter()
        search(sessions, sources)
        searched = time.perf_counter()
        backwards(sessions, [(case.text, case.source) for case in own], turned)
        ratios.append((time.perf_counter() - searched) / (searched - began))
    return round(float(np.median(ratios)), 2)


def _is_acceptable(judged: Sequence[dict[str, str]], index: int, text: str) -> bool:
    """Whether a reader accepted the translation that the row has; another is left out later."""
    del text
    return judged[index]["acceptable"] == "1"


def _is_close(references: Sequence[str], index: int, text: str) -> bool:
    return deviation(text, references[index]) <= MAX_DEVIATION


def _columns(found: Sequence[Case], bundle: Bundle) -> dict[str, NDArray[np.float64]]:
    figures = [figures_of(case, bundle) for case in found]
    return {name: np.array([each[name] for each in figures]) for name in figures[0]}


def _good(found: Sequence[Case]) -> NDArray[np.bool_]:
    return np.array([case.is_good for case in found])


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    sessions = open_sessions(read_bundle(arguments.bundle))
    bundle = sessions.bundle
    known = training_texts([*sorted(CONFIGS.glob("*.tsv")), *arguments.training])
    fitted = held_out_cases(sessions, arguments.text)
    judged = judged_cases(sessions, JUDGED)
    fresh = [case for case in judged if case.source not in known]
    given = _columns(fitted, bundle), _good(fitted)
    result = {
        "machine": machine(),
        "commit": commit(),
        "sha256": bundle.sha256,
        "judged": len(judged),
        "fresh": len(fresh),
        "all": compared(*given, _columns(judged, bundle), _good(judged)),
        "not in training text": compared(*given, _columns(fresh, bundle), _good(fresh)),
        "time of the round trip over that of the search": cost(sessions, judged),
    }
    sys.stdout.write(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.doubt_figures", description=__doc__
    )
    parser.add_argument("text", type=Path, help="held-out text: source, tab, target; .xz or not")
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument(
        "--training",
        type=Path,
        nargs="*",
        default=[],
        help="further training text than that of model/configs: source, tab, target; .xz or not",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
