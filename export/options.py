"""What is exported, from where, and how it is verified."""

from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import DecodingDefaults, Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions:
    """How the grids of activations are chosen."""

    sentences: int = 200
    """Of every direction; those behind the verified ones, or where too few are left, the last."""
    encoder_percentile: float = 90.0
    """Of the sentences' extreme values. A few clipped outliers cost less than a coarse grid."""
    decoder_percentile: float = 99.0
    num_levels: int = 256
    """Of a grid; fewer than a byte has make it coarser, to see what that costs."""
    max_noise_ratio: float = 16.0
    """A tensor whose constant grid makes more than this many times the noise of per-row scales, as
    power, is scaled per row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistSize:
    """How many target pieces a sentence may choose from."""

    num_common: int = 1024
    """The same for all sentences of one direction."""
    num_common_more: int = 512
    """Common to all sentences too, for every further direction."""
    num_own: int = 128
    """By what its source pieces usually become."""
    max_source_tokens: int = 40
    """Longer sources choose from the whole vocabulary."""

    def total_common(self, num_directions: int) -> int:
        """Pieces that all sentences of a bundle share."""
        return self.num_common + (num_directions - 1) * self.num_common_more


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleOptions:
    """What is made of a network, wherever it comes from."""

    out: Path
    """Folder of the bundle; must not exist unless `force`."""
    precision: Precision = "int8"
    name: str | None = None
    """Of the bundle; None: the folder's."""
    max_source_tokens: int = 256
    max_target_tokens: int = 256
    verification_sentences: int = 500
    """The first of the development set, in every direction."""
    calibration: CalibrationOptions = CalibrationOptions()
    max_bleu_loss: float = 0.3
    """int8 that loses more against fp32 is refused."""
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions(BundleOptions):
    """One export."""

    checkpoint: Path
    """`averaged.pt` or `best.pt` of a run; its tokenizer lies beside it."""
    data: Path
    """Folder that the run's data paths start at: for calibration and verification."""
    shortlist: str | None = None
    """Parallel text that a shortlist is learnt from, relative to `data`; None: no shortlist."""
    shortlist_size: ShortlistSize = ShortlistSize()
    length_penalty: float = DecodingDefaults().length_penalty
    """Of beam search, where a request does not say otherwise."""
