"""Where the weights of a bundle come from: data, runs, and the checkpoint of another program."""

from typing import Annotated

from pydantic import Field

from bundle.value import Sha256, Value


class DataSource(Value):
    """A corpus that the model was trained on."""

    name: str
    """Of the corpus."""
    licence: str
    """Of this part of the training data."""
    pairs: Annotated[int, Field(ge=0)]
    """Sentence pairs taken from it."""


class ForeignOrigin(Value):
    """A checkpoint that another program trained and wrote."""

    kind: str
    """As `pellucid import` calls it."""
    name: str
    """Of the program that trained the model."""
    files: dict[str, Sha256]
    """What was read."""
    licence: str | None = None
    """Of the weights, where their publisher has one for all of them."""


class Provenance(Value):
    """Where the weights come from."""

    created: str
    """UTC, ISO 8601."""
    commit: str
    """Of this project."""
    training_config: str
    """The run's TOML, whole; of a foreign checkpoint its own configuration."""
    training_steps: Annotated[int, Field(ge=0)]
    """Updates of the weights."""
    training_target_tokens: Annotated[int, Field(ge=0)]
    """Target tokens seen, repetitions included."""
    training_minutes: Annotated[float, Field(ge=0)]
    """Wall-clock time."""
    data: tuple[DataSource, ...] = ()
    """Corpora that the model was trained on."""
    foreign: ForeignOrigin | None = None
    """None: trained here."""


class TrainingStage(Value):
    """One training run that the weights went through."""

    name: str
    """Of the run's configuration."""
    seed: int
    steps: Annotated[int, Field(ge=0)]
    target_tokens: Annotated[int, Field(ge=0)]
    minutes: Annotated[float, Field(ge=0)]
    """Wall-clock time over all resumes."""
    began_from: tuple[str, ...] | None
    """Stages whose weights it began from: empty for random weights, several for their mean; None
    where it was not recorded."""


class Lineage(Value):
    """Every training run that had a part in the weights."""

    stages: tuple[TrainingStage, ...]
    """Each after the stages that it began from."""
    mean_of: tuple[str, ...]
    """Stages whose weights these are: one, or several for their mean."""

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def target_tokens(self) -> int:
        """Target tokens of all stages."""
        return sum(stage.target_tokens for stage in self.stages)

    @property
    def minutes(self) -> float:
        """Minutes of all stages."""
        return sum(stage.minutes for stage in self.stages)
