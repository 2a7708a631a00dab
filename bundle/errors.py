"""What can be wrong with a bundle.

BundleError
`-- InvalidBundleError   a folder was given, but what is in it does not pass
"""

from collections.abc import Sequence
from pathlib import Path


class BundleError(Exception):
    """Anything that keeps a bundle from being used."""


class InvalidBundleError(BundleError):
    """A bundle that does not pass; `faults` lists every reason found, not only the first."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        listed = "; ".join(self.faults)
        count = f"{len(self.faults)} fault" + ("s" if len(self.faults) != 1 else "")
        super().__init__(f"bundle {path} cannot be used, {count}: {listed}")
