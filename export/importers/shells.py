"""Empty stand-ins for classes that a pickle names, so that none of their code is needed or run."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch


class Shell:
    """Has the attributes that were saved, whatever it was."""

    def __init__(self, *arguments: object) -> None:
        """What it was made with is not looked at."""

    def __setstate__(self, state: object) -> None:
        """Of a class in C the state is no dictionary, and is let go."""
        if isinstance(state, dict):
            self.__dict__.update(state)


def attributes(shell: object) -> dict[str, Any]:
    """What was saved of it; nothing of what is no shell."""
    return vars(shell) if isinstance(shell, Shell) else {}


def shells_for(names: Sequence[str]) -> AbstractContextManager[None]:
    """While it is open, torch makes shells of these names where it would refuse them.

    Args:
        names: With their modules, as in `argparse.Namespace`.
    """
    context: AbstractContextManager[None] = torch.serialization.safe_globals(
        [(Shell, name) for name in names]
    )
    return context
