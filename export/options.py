"""Options of an export: what is exported, from where, and how it is verified."""

from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import DecodingDefaults, Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions:
    """Options of the calibration of activations."""

    sentences: int = 200
    """Sentences per direction: behind the verified ones, or the last where too few are left."""
    encoder_percentile: float = 90.0
    """Percentile of the sentences' extremes: clipped outliers cost less than a coarse grid."""
    decoder_percentile: float = 99.0
    num_levels: int = 256
    """Levels of a grid; fewer than 256 show what a coarser grid costs."""
    max_noise_ratio: float = 16.0
    """Limit of a constant grid's noise over that of per-row scales, as power; tensors over it are
    scaled per row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistSize:
    """Target pieces that a sentence may choose from."""

    num_common: int = 1024
    """Common to all sentences of one direction."""
    num_common_more: int = 512
    """Added to those for every further direction."""
    num_own: int = 128
    """Suggested by the source pieces of the sentence."""
    max_source_tokens: int = 40
    """Longer sources choose from the whole vocabulary."""

    def total_common(self, num_directions: int) -> int:
        """Pieces that all sentences of a bundle share."""
        return self.num_common + (num_directions - 1) * self.num_common_more


DEFAULT_MAX_TOKENS = 256
"""Longest source and target, where the model has as many trained positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleOptions:
    """Options that do not depend on where the network comes from."""

    out: Path
    """Folder of the bundle; must not exist unless `force`."""
    precision: Precision = "int8"
    name: str | None = None
    """Name of the bundle; None: that of the folder."""
    max_source_tokens: int | None = None
    """Longest source. None: 256, or as many as the model has trained positions."""
    max_target_tokens: int | None = None
    """Longest target, likewise."""
    verification_sentences: int = 500
    """Number of sentences, the first of the development set of every direction."""
    calibration: CalibrationOptions = CalibrationOptions()
    max_bleu_loss: float = 0.3
    """BLEU that int8 may lose against fp32; more is refused."""
    head_sentences: int = 0
    """Development sentences that are translated once without each attention head, fewer where there
    are many heads; 0: heads are not measured."""
    force: bool = False
    """Replace an existing bundle."""

    @property
    def source_limit(self) -> int:
        """Source tokens that are wanted."""
        return self.max_source_tokens or DEFAULT_MAX_TOKENS

    @property
    def target_limit(self) -> int:
        """Target tokens that are wanted."""
        return self.max_target_tokens or DEFAULT_MAX_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions(BundleOptions):
    """Options of the export of a training run."""

    checkpoint: Path
    """`averaged.pt` or `best.pt` of a run; its tokenizer lies beside it."""
    data: Path
    """Folder that the run's data paths are relative to; calibration and verification read it."""
    shortlist: str | None = None
    """Parallel text that a shortlist is learnt from, relative to `data`; None: no shortlist."""
    shortlist_size: ShortlistSize = ShortlistSize()
    beam_size: int = DecodingDefaults().beam_size
    """Hypotheses that are kept, where a request does not say."""
    length_penalty: float = DecodingDefaults().length_penalty
    """Length penalty of beam search, where a request has none."""
