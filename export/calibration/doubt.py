"""Calibrates doubt: how likely a translation is accepted, given the probabilities of its tokens.

No reader is asked: a translation of held-out text counts as accepted if it is close to the
reference. Plain chrF would call a long sentence with one wrong word better than a short one in
other words; times the square root of the length it agrees better with readers
(docs/decisions/0065).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bundle.doubt import confidence, word_log_probs
from bundle.manifest import Doubt, DoubtCalibration, ReliabilityBin
from bundle.tokenizer import Tokenizer
from export.sentences.development_set import DevelopmentPair, DevelopmentSet
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_stream
from service.engine.search.options import DecodeOptions, Hypothesis

MAX_DEVIATION = 3.0
"""Half of a reference of 36 characters, a third of one of 81."""
LOW_CONFIDENCE = 0.5
"""Below it fewer than half of the sentences are accepted."""
MAX_DOUBTFUL_WORDS = 0.05
"""Share of the words of accepted sentences that may be marked."""
MIN_SENTENCES = 200
"""Fewest to calibrate on; of accepted ones and of others a quarter of that each."""
NUM_FOLDS = 5
NUM_BINS = 10
_RIDGE = 1e-3
"""Keeps the weights finite where a line parts the sentences without error."""
_STEPS = 30
"""Newton's method is at the minimum long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSentence:
    """A translation of held-out text."""

    token_log_probs: tuple[float, ...]
    """End token included, nats."""
    word_log_probs: tuple[float, ...]
    """Log-probability of every word, summed over its tokens, nats."""
    is_accepted: bool
    """Whether it is close enough to the reference."""


def calibrate_doubt(sessions: Sessions, sets: Sequence[DevelopmentSet]) -> Doubt | None:
    """Fit confidence and the limit of doubtful words, on translations with the bundle's defaults.

    Args:
        sessions: Of the bundle.
        sets: Held-out text, one set for a direction.

    Returns:
        None if the text is too little.
    """
    sentences = [sentence for dev in sets for sentence in scored_sentences(sessions, dev)]
    names = ", ".join(sorted({dev.name for dev in sets}))
    return fit_doubt(sentences, names, sessions.bundle.manifest.decoding.beam_size)


def scored_sentences(sessions: Sessions, dev: DevelopmentSet) -> list[ScoredSentence]:
    """Translations that ended by themselves, each compared with its reference."""
    manifest, tokenizer = sessions.bundle.manifest, sessions.bundle.tokenizer
    options = DecodeOptions(
        beam_size=manifest.decoding.beam_size,
        length_penalty=manifest.decoding.length_penalty,
        max_target_tokens=manifest.max_target_tokens,
    )
    stream = decode_stream(sessions, dev.source_ids, options)
    bar = tqdm(stream, total=len(dev.pairs), desc="calibrating doubt", unit="sentence")
    best = {index: hypotheses[0] for index, hypotheses in bar}
    return [
        _scored(best[i], pair, tokenizer) for i, pair in enumerate(dev.pairs) if best[i].has_ended
    ]


def deviation(text: str, reference: str) -> float:
    """Distance of a translation from its reference: see `DoubtCalibration.max_deviation`."""
    from sacrebleu.metrics.chrf import CHRF  # here: without development text nothing needs it

    chrf: float = CHRF().sentence_score(text, [reference]).score
    return float((1 - chrf / 100) * np.sqrt(len(reference)))


def fit_doubt(sentences: Sequence[ScoredSentence], dataset: str, beam_size: int) -> Doubt | None:
    """The parameters that fit sentences best; None if there are too few.

    Args:
        sentences: In any order.
        dataset: Name of their text.
        beam_size: That they were translated with.
    """
    is_accepted = np.array([s.is_accepted for s in sentences], dtype=np.bool_)
    num_fewer = int(min(is_accepted.sum(), (~is_accepted).sum()))
    if len(sentences) < MIN_SENTENCES or num_fewer < MIN_SENTENCES // 4:
        return None
    fitted = _fitted(sentences)
    held_out = _held_out_confidence(sentences)
    marked = [word < fitted.low_word for s in sentences for word in s.word_log_probs]
    accepted = np.repeat(is_accepted, [len(s.word_log_probs) for s in sentences])
    calibration = DoubtCalibration(
        dataset=dataset,
        sentences=len(sentences),
        beam_size=beam_size,
        max_deviation=MAX_DEVIATION,
        area_under_curve=round(area_under_curve(held_out, is_accepted), 4),
        doubtful_words=_share(np.array(marked)[accepted]),
        doubtful_words_elsewhere=_share(np.array(marked)[~accepted]),
        bins=reliability(held_out, is_accepted),
    )
    return fitted.model_copy(update={"calibration": calibration})


def reliability(
    confidences: NDArray[np.float64], is_accepted: NDArray[np.bool_]
) -> tuple[ReliabilityBin, ...]:
    """Sentences in bins of equal width, without those that are empty.

    Args:
        confidences: float64 [sentences], 0 to 1.
        is_accepted: bool [sentences].
    """
    places = np.minimum((confidences * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    return tuple(
        ReliabilityBin(
            sentences=int((places == place).sum()),
            confidence=round(float(confidences[places == place].mean()), 4),
            accepted=_share(is_accepted[places == place]),
        )
        for place in np.unique(places)
    )


def area_under_curve(scores: NDArray[np.float64], is_positive: NDArray[np.bool_]) -> float:
    """Chance that a positive has the higher score of a pair; equals count half.

    Args:
        scores: float64 [items].
        is_positive: bool [items], some of both.
    """
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    num_positive = int(is_positive.sum())
    wins = ranks[is_positive].sum() - num_positive * (num_positive + 1) / 2
    return float(wins / (num_positive * (len(scores) - num_positive)))


def _scored(hypothesis: Hypothesis, pair: DevelopmentPair, tokenizer: Tokenizer) -> ScoredSentence:
    text, spans = tokenizer.target_text_and_spans(hypothesis.target_ids)
    words = word_log_probs(text, spans, hypothesis.token_log_probs)
    return ScoredSentence(
        token_log_probs=hypothesis.token_log_probs,
        word_log_probs=tuple(log_prob for _, log_prob in words),
        is_accepted=deviation(text, pair.reference) <= MAX_DEVIATION,
    )


def _held_out_confidence(sentences: Sequence[ScoredSentence]) -> NDArray[np.float64]:
    """Confidence in each sentence, fitted on the other folds, float64 [sentences]."""
    found = np.zeros(len(sentences))
    folds = np.arange(len(sentences)) % NUM_FOLDS
    for fold in range(NUM_FOLDS):
        fitted = _fitted([s for s, own in zip(sentences, folds, strict=True) if own != fold])
        for index in np.flatnonzero(folds == fold).tolist():
            found[index] = confidence(fitted, sentences[index].token_log_probs)
    return found


def _fitted(sentences: Sequence[ScoredSentence]) -> Doubt:
    totals = np.array([sum(s.token_log_probs) for s in sentences])
    means = totals / [len(s.token_log_probs) for s in sentences]
    is_accepted = np.array([s.is_accepted for s in sentences], dtype=np.bool_)
    figures = np.stack([means, totals], axis=1)
    bias, *weights = fit_logistic(figures, is_accepted)
    if min(weights) < 0:  # more doubt never means more confidence: the better figure alone
        kept = int(np.argmax([area_under_curve(column, is_accepted) for column in figures.T]))
        bias, weight = fit_logistic(figures[:, [kept]], is_accepted)
        weights = [max(0.0, weight) if index == kept else 0.0 for index in range(2)]
    words = [word for s in sentences if s.is_accepted for word in s.word_log_probs]
    return Doubt(
        bias=round(bias, 4),
        mean_weight=round(weights[0], 4),
        total_weight=round(weights[1], 4),
        low_confidence=LOW_CONFIDENCE,
        low_word=round(float(np.quantile(words, MAX_DOUBTFUL_WORDS)), 4),
    )


def fit_logistic(figures: NDArray[np.float64], is_positive: NDArray[np.bool_]) -> list[float]:
    """Bias and weights of a logistic regression with a slight ridge, by Newton's method.

    Args:
        figures: float64 [items, figures].
        is_positive: bool [items].
    """
    means, widths = figures.mean(axis=0), np.maximum(figures.std(axis=0), 1e-9)
    inputs = np.hstack([np.ones((len(figures), 1)), (figures - means) / widths])
    weights = np.zeros(inputs.shape[1])
    ridge = _RIDGE * np.eye(len(weights))
    ridge[0, 0] = 0
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (chances - is_positive) / len(inputs) + ridge @ weights
        curvature = (inputs * (chances * (1 - chances))[:, None]).T @ inputs / len(inputs)
        weights = weights - np.linalg.solve(curvature + ridge + 1e-9 * np.eye(len(weights)), slope)
    plain = weights[1:] / widths
    return [float(weights[0] - plain @ means), *plain.tolist()]


def _share(flags: NDArray[np.bool_]) -> float:
    return round(float(flags.mean()), 4) if len(flags) else 0.0
