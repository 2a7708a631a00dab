"""How long each stage of a translation took, and when it ran."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.observability.tracing import Stage
from service.scheduling.job import JobResult
from service.translation.values import StageTimes

Runs = Sequence[Sequence[JobResult]]
"""The sentences of each model, one model after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When a translation passed from one kind of work to the next, on the scheduler's clock."""

    started_s: float
    tokenized_s: float
    decoded_s: float
    ended_s: float
    runs: Runs

    def times(self) -> StageTimes:
        """Duration of each stage.

        Sentences run side by side, so the longest counts; models follow each other, so their
        times add up.
        """
        return StageTimes(
            tokenize=self.tokenized_s - self.started_s,
            queue=sum(max((r.queue_s for r in run), default=0.0) for run in self.runs),
            encode=sum(max((r.encode_s for r in run), default=0.0) for run in self.runs),
            decode=sum(max((r.decode_s for r in run), default=0.0) for run in self.runs),
            detokenize=self.ended_s - self.decoded_s,
        )

    def stages(self) -> list[Stage]:
        """Spans of each stage: from the first sentence that entered it to the last that left.

        Sentences run side by side, so one may queue while another is decoded. The time between
        encoding and joining a batch is shown as if the sentence had waited before.
        """
        ran = [result for run in self.runs for result in run if result.finished_s]
        tokens = sum(len(result.hypotheses[0].target_ids) for result in ran)
        finished = [result.finished_s for result in ran]
        decoded = [result.finished_s - result.decode_s for result in ran]
        encoded = [end - result.encode_s for end, result in zip(decoded, ran, strict=True)]
        queued = [end - result.queue_s for end, result in zip(encoded, ran, strict=True)]
        return [
            Stage(name="tokenize", started_s=self.started_s, ended_s=self.tokenized_s),
            self._stage("queue", queued, encoded),
            self._stage("encode", encoded, decoded),
            self._stage("decode", decoded, finished, sentences=len(ran), tokens=tokens),
            Stage(name="detokenize", started_s=self.decoded_s, ended_s=self.ended_s),
        ]

    def _stage(
        self, name: str, starts: Sequence[float], ends: Sequence[float], **counts: int
    ) -> Stage:
        """A stage, limited to this request's wait: its run may have begun for another request."""
        return Stage(
            name=name,
            started_s=self._within(min(starts, default=0.0)),
            ended_s=self._within(max(ends, default=0.0)),
            attributes={f"pellucid.{what}": count for what, count in counts.items()},
        )

    def _within(self, moment_s: float) -> float:
        return min(max(moment_s, self.tokenized_s), self.decoded_s)
