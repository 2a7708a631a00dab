"""The stages of a translation: how long each took, and when it was."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.observability.tracing import Stage
from service.scheduling.job import JobResult
from service.translation.values import StageTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When a translation went on from one kind of work to the next, on the scheduler's clock."""

    started_s: float
    tokenized_s: float
    decoded_s: float
    ended_s: float


def stage_times(runs: Sequence[Sequence[JobResult]], moments: Moments) -> StageTimes:
    """What each stage took.

    Args:
        runs: The sentences of each model: they run side by side, so the longest counts; models
            follow each other, so they add up.
        moments: Of the whole.
    """
    return StageTimes(
        tokenize=moments.tokenized_s - moments.started_s,
        queue=sum(max((result.queue_s for result in run), default=0.0) for run in runs),
        encode=sum(max((result.encode_s for result in run), default=0.0) for run in runs),
        decode=sum(max((result.decode_s for result in run), default=0.0) for run in runs),
        detokenize=moments.ended_s - moments.decoded_s,
    )


def stages(results: Sequence[JobResult], moments: Moments) -> list[Stage]:
    """When each stage was: from the first of the sentences that entered it to the last that left.

    Sentences run side by side, so one may queue while another is decoded. What a sentence waited
    for a slot after it was encoded is shown as if it had waited before.
    """
    ran = [result for result in results if result.finished_s]
    tokens = sum(len(result.hypotheses[0].target_ids) for result in ran)
    finished = [result.finished_s for result in ran]
    decoded = [result.finished_s - result.decode_s for result in ran]
    encoded = [end - result.encode_s for end, result in zip(decoded, ran, strict=True)]
    queued = [end - result.queue_s for end, result in zip(encoded, ran, strict=True)]
    return [
        Stage(name="tokenize", started_s=moments.started_s, ended_s=moments.tokenized_s),
        _between("queue", queued, encoded, moments),
        _between("encode", encoded, decoded, moments),
        _between("decode", decoded, finished, moments, sentences=len(ran), tokens=tokens),
        Stage(name="detokenize", started_s=moments.decoded_s, ended_s=moments.ended_s),
    ]


def _between(
    name: str, starts: Sequence[float], ends: Sequence[float], moments: Moments, **counts: int
) -> Stage:
    """Cut to what this request waited: a sentence may share the run of another request."""
    return Stage(
        name=name,
        started_s=_within(min(starts, default=0.0), moments),
        ended_s=_within(max(ends, default=0.0), moments),
        attributes={f"pellucid.{what}": count for what, count in counts.items()},
    )


def _within(moment_s: float, moments: Moments) -> float:
    return min(max(moment_s, moments.tokenized_s), moments.decoded_s)
