"""What is imported, from where, and what the checkpoint does not say itself."""

from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import Precision
from export.options import BundleOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentFile:
    """Parallel text of one direction, a pair of sentences a line, separated by a tab."""

    path: Path
    direction: str | None = None
    """`en-de`; None: the only one of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions(BundleOptions):
    """One import."""

    kind: str
    path: Path
    """Folder or file of the checkpoint."""
    precision: Precision = "fp32"
    sources: tuple[str, ...] = ()
    """Languages, where the checkpoint does not say which, or not as codes."""
    targets: tuple[str, ...] = ()
    """Likewise; of a checkpoint with many, those that the bundle shall have."""
    dev: tuple[DevelopmentFile, ...] = ()
    """To measure quality with, and in int8 to choose scales."""
