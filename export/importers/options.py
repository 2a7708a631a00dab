"""Options of an import."""

from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import Precision
from export.options import BundleOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentFile:
    """Parallel text of one direction: a sentence pair a line, separated by a tab."""

    path: Path
    direction: str | None = None
    """Direction as in `en-de`; None: the only one of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions(BundleOptions):
    """Options of one import."""

    kind: str
    """Kind of the checkpoint, see `importers.kinds`."""
    path: Path
    """Folder or file of the checkpoint."""
    precision: Precision = "fp32"
    sources: tuple[str, ...] = ()
    """Source languages, where the checkpoint does not give their codes."""
    targets: tuple[str, ...] = ()
    """Target languages, likewise; of a multilingual checkpoint those of the bundle."""
    dev: tuple[DevelopmentFile, ...] = ()
    """Text to measure quality with, and to calibrate int8 with."""
    licence: str | None = None
    """Licence of the weights, as their publisher says; None: what the checkpoint says."""
