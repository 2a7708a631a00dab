"""What the metrics learn from translations: times, sentences cut off, remembered or doubtful."""

from collections.abc import Iterable

from service.observability.metrics import Metrics
from service.translation.values import SentenceTranslation, StageTimes, Translation


def record_metrics(
    metrics: Metrics, translations: Iterable[Translation], times: StageTimes
) -> None:
    """Records the stages of a request and the outcomes of its sentences."""
    stages = metrics.stage_seconds
    stages.labels(stage="tokenize").observe(times.tokenize)
    stages.labels(stage="queue").observe(times.queue)
    stages.labels(stage="encode").observe(times.encode)
    stages.labels(stage="decode").observe(times.decode)
    stages.labels(stage="detokenize").observe(times.detokenize)
    for translation in translations:
        record_outcomes(metrics, translation.sentences)


def record_outcomes(metrics: Metrics, sentences: Iterable[SentenceTranslation]) -> None:
    """Counts sentences that were cut off, took two models, or were known to the memory."""
    found = list(sentences)
    hits = metrics.memory_hits
    hits.labels(kind="exact").inc(sum(sentence.origin == "memory" for sentence in found))
    hits.labels(kind="fuzzy").inc(sum(bool(sentence.suggestions) for sentence in found))
    metrics.truncated.inc(sum(sentence.truncated for sentence in found))
    metrics.pivoted.inc(sum(bool(sentence.route) for sentence in found))


def count_doubtful(
    metrics: Metrics, languages: tuple[str, str], sentences: Iterable[SentenceTranslation]
) -> None:
    """Counts sentences of low confidence, from one language to another."""
    found = list(sentences)
    if found:  # a text that was in the target language already has none
        pair = "->".join(languages)
        metrics.low_confidence.labels(pair=pair).inc(sum(s.is_doubtful for s in found))
