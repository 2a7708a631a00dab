"""Lineage of weights: the stages of training from random initialisation on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One run of training, up to the point where its weights were taken."""

    name: str
    """Name of its configuration."""
    seed: int
    steps: int
    target_tokens: int
    minutes: float
    """Wall-clock time over all resumes."""
    began_from: tuple[str, ...] | None
    """Names of the stages that its initial weights come from: empty for random weights, several for
    their mean; None if the checkpoint is too old to record it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """All stages that contributed to the weights of a model."""

    stages: tuple[Stage, ...] = ()
    """In order of training: each stage comes after those that it began from."""
    mean_of: tuple[str, ...] = ()
    """Names of the stages that the weights come from: one, or several for their mean."""

    @property
    def steps(self) -> int:
        """Updates in all stages together."""
        return sum(stage.steps for stage in self.stages)

    @property
    def target_tokens(self) -> int:
        """Target tokens in all stages together."""
        return sum(stage.target_tokens for stage in self.stages)

    @property
    def minutes(self) -> float:
        """Wall-clock time of all stages together."""
        return sum(stage.minutes for stage in self.stages)

    def followed_by(self, stage: Stage) -> "Lineage":
        """The lineage of weights that `stage` made of these."""
        return Lineage(stages=(*self.stages, stage), mean_of=(stage.name,))

    def as_dict(self) -> dict[str, Any]:
        """As plain values for a checkpoint file; `read_lineage` is the inverse."""
        return asdict(self)


RANDOM = Lineage()
"""Lineage of random weights."""


def read_lineage(content: Mapping[str, Any]) -> Lineage:
    """Inverse of `Lineage.as_dict`.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is unknown or of the wrong type.
    """
    stages = tuple(
        Stage(**{**stage, "began_from": _names(stage["began_from"])}) for stage in content["stages"]
    )
    return Lineage(stages=stages, mean_of=tuple(content["mean_of"]))


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def merged(lineages: Iterable[Lineage]) -> Lineage:
    """Lineage of a mean: every stage once, at the largest step of any of `lineages`.

    Stages of the same name, seed and beginning are one run, taken at different steps.
    """
    farthest: dict[tuple[object, ...], Stage] = {}
    mean_of: dict[str, None] = {}
    for lineage in lineages:
        mean_of |= dict.fromkeys(lineage.mean_of)
        for stage in lineage.stages:
            run = (stage.name, stage.seed, stage.began_from)
            farthest[run] = max(farthest.get(run, stage), stage, key=lambda each: each.steps)
    return Lineage(stages=tuple(farthest.values()), mean_of=tuple(mean_of))
