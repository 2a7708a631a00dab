"""Stub classes for unpickling: they stand in for classes that a checkpoint names.

None of the named classes is imported, and none of their code runs.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any


class PickleStub:
    """Holds the attributes that were saved, of any class."""

    def __init__(self, *arguments: object) -> None:
        """Ignores the arguments of the original class."""

    def __setstate__(self, state: object) -> None:
        """Takes a dictionary of attributes; the state of a class in C is dropped."""
        if isinstance(state, dict):
            self.__dict__.update(state)


def stub_attributes(value: object) -> dict[str, Any]:
    """The saved attributes of a stub; of any other value none."""
    return vars(value) if isinstance(value, PickleStub) else {}


def stubs_for(names: Sequence[str]) -> AbstractContextManager[None]:
    """Context in which `torch.load` makes stubs of these classes instead of refusing them.

    Args:
        names: With their modules, as in `argparse.Namespace`.
    """
    import torch  # here: files without pickles need none

    context: AbstractContextManager[None] = torch.serialization.safe_globals(
        [(PickleStub, name) for name in names]
    )
    return context
