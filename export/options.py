"""What is exported, from where, and how it is verified."""

from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """One export."""

    checkpoint: Path
    """`averaged.pt` or `best.pt` of a run; its tokenizer lies beside it."""
    out: Path
    """Folder of the bundle; must not exist unless `force`."""
    data: Path
    """Folder that the run's data paths start at: for calibration and verification."""
    precision: Precision = "int8"
    name: str | None = None
    """Of the bundle; None: the folder's."""
    max_source_tokens: int = 256
    max_target_tokens: int = 256
    verification_sentences: int = 500
    """The first of the development set."""
    calibration_sentences: int = 200
    """Those behind; where too few are left, the last of the set."""
    max_bleu_loss: float = 0.3
    """int8 that loses more against fp32 is refused."""
    force: bool = False
