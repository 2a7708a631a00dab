"""A checkpoint of another program, read: what every reader returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import AlignmentHead, LanguagePair
from bundle.provenance import ForeignOrigin
from bundle.reader import sha256_of
from bundle.tensors import SOURCE_TOKENIZER_NAME, TARGET_TOKENIZER_NAME
from export.importers.options import ImportOptions
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.lexicon.shortlist import ShortlistPlan
from export.network import Network
from export.quantization import ActivationPlan
from export.verification.original_program import OriginalProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """An imported model: everything that its bundle needs."""

    path: Path
    """Checkpoint or folder that names the model."""
    files: tuple[Path, ...]
    """The files that were read, without those of the vocabularies."""
    config_text: str
    """The checkpoint's own configuration, for the manifest."""
    network: Network
    source: SideVocabulary
    target: SideVocabulary
    pairs: tuple[LanguagePair, ...]
    original: OriginalProgram | None = None
    """None: the program that it belongs to is not installed."""
    plan: ActivationPlan | None = None
    """Scales of activations that the checkpoint has; None: they have to be calibrated."""
    shortlist: ShortlistPlan | None = None
    """A shortlist that the checkpoint has; used in int8."""
    alignment_head: AlignmentHead | None = None
    """A head that was trained to align words."""
    licence: str | None = None
    """Licence of the weights, where their publisher has one for all of them."""

    @property
    def tokenizer_files(self) -> Mapping[str, bytes]:
        """SentencePiece models by their names in a bundle; one where both sides are equal."""
        files = {SOURCE_TOKENIZER_NAME: self.source.model}
        if self.target.model != self.source.model:
            files[TARGET_TOKENIZER_NAME] = self.target.model
        return files


Reader = Callable[[ImportOptions], ImportedModel]
"""Reads a checkpoint; raises `ExportError` with every reason why it cannot."""


def origin_of(kind: str, model: ImportedModel, licence: str | None = None) -> ForeignOrigin:
    """The manifest's record of the files that were read.

    Args:
        kind: Of the checkpoint.
        model: What was read.
        licence: As the publisher gives it, which counts more than what goes for all of a kind.
    """
    paths = {path.name: path for path in (*model.files, *model.source.files, *model.target.files)}
    digests = {name: sha256_of(path) for name, path in sorted(paths.items())}
    name = model.path.absolute().name
    return ForeignOrigin(kind=kind, name=name, files=digests, licence=licence or model.licence)
