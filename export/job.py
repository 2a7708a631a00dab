"""What every stage of an export needs, read and checked before any work is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bundle.manifest import DecodingDefaults, LanguagePair, Provenance
from bundle.tokenizer import Tokenizer
from export.development_set import DevelopmentPair, DevelopmentSet, in_turns
from export.errors import ExportError
from export.network import Network
from export.options import BundleOptions, ShortlistSize
from export.reference import Reference
from model.directions import Direction
from model.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistText:
    """What a shortlist is learnt from."""

    pairs: str
    """Parallel text, relative to `data`."""
    data: Path
    directions: tuple[Direction, ...]
    size: ShortlistSize


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """A network that can be exported, and sentences to verify it with."""

    options: BundleOptions
    model: Transformer
    """What the graphs are compared with, fp32, in evaluation mode."""
    network: Network
    """What the graphs are built from."""
    tokenizer: Tokenizer
    tokenizer_files: Mapping[str, bytes]
    """By their names in a bundle."""
    pairs: tuple[LanguagePair, ...]
    """Directions of the bundle."""
    provenance: Provenance
    decoding: DecodingDefaults = field(default_factory=DecodingDefaults)
    placeholders: tuple[str, ...] = ()
    """Those that the model has learnt to copy."""
    dev: tuple[DevelopmentSet, ...]
    """To measure quality with, one for every direction that has one."""
    trials: tuple[DevelopmentSet, ...]
    """To verify with: `dev`, or sentences that were made up."""
    calibration: tuple[DevelopmentPair, ...]
    """Of all directions."""
    shortlist: ShortlistText | None = None
    reference: Reference | None = None
    """The program that a foreign checkpoint belongs to, where it is installed."""

    @property
    def verification(self) -> list[DevelopmentPair]:
        """Sentences of all directions, in turns."""
        return in_turns([trial.pairs for trial in self.trials])


def check_job(network: Network, tokenizer: Tokenizer, options: BundleOptions) -> None:
    """Refuse what no bundle can be made of.

    Raises:
        ExportError: With every reason found.
    """
    faults = []
    tables = (
        (options.max_source_tokens, network.source_positions),
        (options.max_target_tokens, network.target_positions),
    )
    too_short = [len(table) for length, table in tables if len(table) < length]
    if too_short:
        faults.append(f"the model has {min(too_short)} positions: ask for no more tokens than that")
    if tokenizer.vocab_size != network.architecture.vocab_size:
        faults.append(
            f"the tokenizer has {tokenizer.vocab_size} pieces, the model "
            f"{network.architecture.vocab_size}: they are not of the same run"
        )
    if faults:
        raise ExportError("; ".join(faults))


def calibration_pairs(dev: DevelopmentSet, options: BundleOptions) -> tuple[DevelopmentPair, ...]:
    """Those behind the verified ones, or where too few are left, the last."""
    count, rest = options.calibration.sentences, dev.pairs[options.verification_sentences :]
    return rest[:count] if len(rest) >= count else dev.pairs[-count:]
