"""The runs that a model's weights went through, from random ones to those that are served."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One run of training, as far as the weights came in it."""

    name: str
    """That of its configuration."""
    seed: int
    steps: int
    target_tokens: int
    minutes: float
    """Wall-clock time over all resumes."""
    began_from: tuple[str, ...] | None
    """Stages whose weights it began from: none if they were random, the mean where there are
    several; None in checkpoints of versions that did not record it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Every stage that had a part in some weights."""

    stages: tuple[Stage, ...] = ()
    """Each after those that it began from."""
    mean_of: tuple[str, ...] = ()
    """Stages whose weights these are: one, or the several that they are the mean of."""

    @property
    def steps(self) -> int:
        """Updates of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def target_tokens(self) -> int:
        """Target tokens of all stages."""
        return sum(stage.target_tokens for stage in self.stages)

    @property
    def minutes(self) -> float:
        """Wall-clock time of all stages."""
        return sum(stage.minutes for stage in self.stages)

    def followed_by(self, stage: Stage) -> "Lineage":
        """These stages and one more, whose weights are now meant."""
        return Lineage(stages=(*self.stages, stage), mean_of=(stage.name,))

    def as_dict(self) -> dict[str, Any]:
        """In values that a checkpoint file can hold; `read_lineage` takes it back."""
        return asdict(self)


RANDOM = Lineage()
"""Of weights that nothing was trained before."""


def read_lineage(content: Mapping[str, Any]) -> Lineage:
    """What `Lineage.as_dict` made.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is unknown or of another kind.
    """
    stages = tuple(
        Stage(**{**stage, "began_from": _names(stage["began_from"])}) for stage in content["stages"]
    )
    return Lineage(stages=stages, mean_of=tuple(content["mean_of"]))


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def merged(lineages: Iterable[Lineage]) -> Lineage:
    """Of the mean of weights: every stage once, as far as the one that came farthest in it."""
    farthest: dict[tuple[object, ...], Stage] = {}
    mean_of: dict[str, None] = {}
    for lineage in lineages:
        mean_of |= dict.fromkeys(lineage.mean_of)
        for stage in lineage.stages:
            run = (stage.name, stage.seed, stage.began_from)
            farthest[run] = max(farthest.get(run, stage), stage, key=lambda each: each.steps)
    return Lineage(stages=tuple(farthest.values()), mean_of=tuple(mean_of))
