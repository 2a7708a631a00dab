"""Errors of training.

ModelError            one line on stderr, exit code 2
|-- ConfigError       the run's TOML, or a value in it
|-- CorpusError       the training data
|-- CheckpointError   a checkpoint that is missing, broken or of another run
`-- DivergenceError   gradients that are no longer finite
"""

from collections.abc import Sequence


class ModelError(Exception):
    """Training cannot continue; the message names the remedy."""


class ConfigError(ModelError):
    """Invalid settings; lists every fault."""

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"{where}: {'; '.join(self.faults)}")


class CorpusError(ModelError):
    """Training data that cannot be used at all; single bad lines are reported instead."""


class CheckpointError(ModelError):
    """A checkpoint that cannot be used."""


class DivergenceError(ModelError):
    """Training whose gradients are no longer finite."""
