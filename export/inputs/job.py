"""The input of an export: a trained model, and the sentences to verify it with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bundle.manifest import AlignmentHead, DecodingDefaults, LanguagePair
from bundle.provenance import Lineage, Provenance
from bundle.tokenizer import Tokenizer
from export.lexicon.known_words import TrainingText
from export.lexicon.shortlist import ShortlistPlan
from export.network import Network
from export.options import BundleOptions, ShortlistSize
from export.quantization import ActivationPlan
from export.sentences.development_set import DevelopmentPair, DevelopmentSet, in_turns
from export.verification.original_program import OriginalProgram
from export.verification.reference_network import ReferenceNetwork
from model.directions import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistText:
    """Parallel text that a shortlist is learnt from."""

    pairs: str
    """File of the text, relative to `data`."""
    data: Path
    directions: tuple[Direction, ...]
    size: ShortlistSize


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A model as it was read from a checkpoint, of a run or of another program."""

    reference: ReferenceNetwork
    """Another implementation of the network, which the graphs are compared with."""
    network: Network
    """Arrays that the graphs are built from."""
    tokenizer: Tokenizer
    tokenizer_files: Mapping[str, bytes]
    """SentencePiece models by their names in a bundle."""
    pairs: tuple[LanguagePair, ...]
    """Directions of the bundle."""
    provenance: Provenance
    lineage: Lineage | None = None
    """Stages of training; None for an imported model."""
    decoding: DecodingDefaults = field(default_factory=DecodingDefaults)
    placeholders: tuple[str, ...] = ()
    """Pieces that the model was trained to copy."""
    shortlist: ShortlistText | ShortlistPlan | None = None
    """Text to learn one from, or one that came with the checkpoint; used in int8."""
    training_text: TrainingText | None = None
    """Text to collect known words from; None: the bundle has none."""
    plan: ActivationPlan | None = None
    """Scales of activations that came with the checkpoint; None: they are calibrated."""
    alignment_head: AlignmentHead | None = None
    """A head that was trained to align words; None: it is looked for."""
    original: OriginalProgram | None = None
    """The program of an imported checkpoint, where it is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """A checked model, and sentences to verify it with."""

    options: BundleOptions
    model: TrainedModel
    dev: tuple[DevelopmentSet, ...]
    """Sets to measure quality with, one for every direction that has one."""
    verification_sets: tuple[DevelopmentSet, ...]
    """Sets to verify with: `dev`, or random sentences."""
    calibration: tuple[DevelopmentPair, ...]
    """Pairs of all directions."""

    @property
    def verification(self) -> list[DevelopmentPair]:
        """Sentences of all directions, in turns."""
        return in_turns([each.pairs for each in self.verification_sets])
