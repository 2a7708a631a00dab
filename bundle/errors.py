"""Errors of bundles.

BundleError
`-- InvalidBundleError   the folder holds no valid bundle
"""

from collections.abc import Sequence
from pathlib import Path


class BundleError(Exception):
    """A bundle cannot be used."""


class InvalidBundleError(BundleError):
    """The bundle is invalid; `faults` lists every fault, not only the first."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        listed = "; ".join(self.faults)
        count = f"{len(self.faults)} fault" + ("s" if len(self.faults) != 1 else "")
        super().__init__(f"bundle {path} cannot be used, {count}: {listed}")
