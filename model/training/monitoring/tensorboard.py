"""The curve of a run for TensorBoard, which is optional."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from model.errors import ConfigError


def check_installed() -> None:
    """Check that event files can be written.

    Raises:
        ConfigError: tensorboardX is not installed.
    """
    if find_spec("tensorboardX") is None:
        fault = "tensorboardX is not installed: in a checkout, pip install '.[tensorboard]'"
        raise ConfigError("--tensorboard", [fault])


class Board:
    """Event files in a folder; `tensorboard --logdir` shows those of many runs side by side."""

    def __init__(self, folder: Path, *, step: int) -> None:
        """Write to `folder`; its events after `step` are hidden."""
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add the value of every curve at `step`."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Flush the files."""
        self._writer.close()
