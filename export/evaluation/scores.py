"""Scores a system against references, and tests whether two systems differ significantly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest, Result

from export.evaluation.outputs import System
from export.evaluation.texts import TestText

Tokenisation = Literal["13a", "intl", "char", "none"]
NUM_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Options of the metrics, which their signatures name."""

    tokenisation: Tokenisation = "13a"
    """`none` where both sides are already tokenised."""
    is_lower_case: bool = False

    def bleu(self) -> BLEU:
        """The metric, for whole texts."""
        # `force`: no warning about tokenised text.
        return BLEU(tokenize=self.tokenisation, lowercase=self.is_lower_case, force=True)

    def chrf(self) -> CHRF:
        """The metric."""
        return CHRF(lowercase=self.is_lower_case)

    def sentence_bleu(self) -> BLEU:
        """The metric for single sentences, which may be shorter than four words."""
        return BLEU(
            tokenize=self.tokenisation,
            lowercase=self.is_lower_case,
            effective_order=True,
            force=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemScores:
    """Scores of one system."""

    bleu: float
    chrf: float
    bleu_signature: str
    chrf_signature: str
    length_ratio: float
    """Words of all translations over those of the references nearest in length."""
    num_empty: int
    num_looping: int
    num_cut_off: int
    num_too_long: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Difference of two systems, by paired bootstrap resampling (Koehn 2004)."""

    metric: str
    difference: float
    p_value: float
    """Probability of at least this difference between equal systems."""
    signature: str


def score(system: System, text: TestText, scoring: Scoring) -> SystemScores:
    """Score all outputs of a system; sources without a translation count as empty."""
    bleu, chrf = scoring.bleu(), scoring.chrf()
    bleu_score = bleu.corpus_score(system.texts, text.references)
    chrf_score = chrf.corpus_score(system.texts, text.references)
    faults = [output.fault for output in system.outputs]
    return SystemScores(
        bleu=bleu_score.score,
        chrf=chrf_score.score,
        bleu_signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
        length_ratio=bleu_score.ratio,
        num_empty=faults.count("empty"),
        num_looping=faults.count("looping"),
        num_cut_off=faults.count("cut-off"),
        num_too_long=faults.count("too-long"),
    )


def compare(first: System, second: System, text: TestText, scoring: Scoring) -> list[Difference]:
    """Differences of `second` to `first`, with their significance."""
    systems: list[tuple[str, Sequence[str]]] = [("first", first.texts), ("second", second.texts)]
    metrics = {"BLEU": scoring.bleu(), "chrF": scoring.chrf()}
    test = PairedTest(systems, metrics, text.references, "bs", n_samples=NUM_RESAMPLES)
    signatures, results = test()
    return [
        _difference(metric, str(signature), results[metric])
        for metric, signature in signatures.items()
    ]


def _difference(metric: str, signature: str, results: Sequence[str | Result]) -> Difference:
    first, second = (result for result in results if isinstance(result, Result))
    difference = second.score - first.score
    return Difference(
        metric=metric,
        difference=difference,
        # sacreBLEU counts larger differences only: equal systems would have p = 0.001.
        p_value=second.p_value if difference and second.p_value is not None else 1.0,
        signature=signature,
    )


def sentence_scores(system: System, text: TestText, scoring: Scoring) -> list[tuple[float, float]]:
    """BLEU and chrF of every sentence."""
    bleu, chrf = scoring.sentence_bleu(), scoring.chrf()
    rows: Sequence[tuple[str, ...]] = list(zip(*text.references, strict=True))
    return [
        (bleu.sentence_score(t, refs).score, chrf.sentence_score(t, refs).score)
        for t, refs in zip(system.texts, rows, strict=True)
    ]
