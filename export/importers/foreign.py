"""A foreign checkpoint, read and understood: what every importer returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bundle.manifest import DecodingDefaults, ForeignOrigin, LanguagePair
from bundle.reader import sha256_of
from bundle.tensors import SOURCE_TOKENIZER_NAME, TARGET_TOKENIZER_NAME
from export.importers.options import ImportOptions
from export.network import Network
from export.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignModel:
    """Everything that a bundle needs of it."""

    network: Network
    source_tokenizer: bytes
    """A SentencePiece model whose ids are the encoder's; see `importers.vocabulary`."""
    target_tokenizer: bytes | None
    """Likewise the decoder's; None where the sides share one."""
    pairs: tuple[LanguagePair, ...]
    origin: ForeignOrigin
    config_text: str
    """The checkpoint's own configuration, for the manifest."""
    decoding: DecodingDefaults = field(default_factory=DecodingDefaults)
    reference: Reference | None = None
    """None: the program that it belongs to is not installed."""

    @property
    def tokenizer_files(self) -> Mapping[str, bytes]:
        """By their names in a bundle."""
        files = {SOURCE_TOKENIZER_NAME: self.source_tokenizer}
        if self.target_tokenizer is not None:
            files[TARGET_TOKENIZER_NAME] = self.target_tokenizer
        return files


Importer = Callable[[ImportOptions], ForeignModel]
"""Reads a checkpoint; raises `ExportError` with every reason why it cannot."""


def origin_of(kind: str, path: Path, files: Mapping[str, Path]) -> ForeignOrigin:
    """What the manifest says of the files that were read, by the names that it shall give them."""
    digests = {name: sha256_of(file) for name, file in sorted(files.items())}
    return ForeignOrigin(kind=kind, name=path.absolute().name, files=digests)
