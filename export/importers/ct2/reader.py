"""Reads models of CTranslate2, the form in which Argos Translate and others publish models."""

from collections.abc import Mapping

from bundle.manifest import LanguagePair
from export.errors import ExportError
from export.importers.ct2.attributes import Attributes, read_attributes
from export.importers.ct2.folder import Folder, open_folder
from export.importers.ct2.layers import unknown_parts
from export.importers.ct2.network import read_network
from export.importers.ct2.vocabulary import read_vocabularies
from export.importers.imported_model import ImportedModel
from export.importers.languages import directions, target_tags
from export.importers.options import ImportOptions
from export.importers.tokenizers.side_vocabulary import SideVocabulary
from export.network import Float32
from export.verification.original_program import OriginalProgram


def read(options: ImportOptions) -> ImportedModel:
    """Read a model.

    Raises:
        ExportError: It is of another kind, or a part of it is missing or broken.
    """
    folder = open_folder(options.path)
    tensors = folder.stored.tensors()
    attributes = _supported(folder, tensors)
    source, target = read_vocabularies(folder, starts_from_zero=attributes.starts_from_zero)
    network = read_network(folder, tensors, attributes, (source, target), options)
    return ImportedModel(
        path=folder.root,
        files=folder.files,
        config_text=folder.config_text,
        network=network,
        source=source,
        target=target,
        pairs=_pairs(folder, source, options),
        original=_original(folder, source, target, network.architecture.vocab_size),
    )


def _supported(folder: Folder, tensors: Mapping[str, Float32]) -> Attributes:
    attributes, faults = read_attributes(folder.stored)
    faults += unknown_parts(tensors)
    if folder.config.decoder_start is None:
        faults.append("a decoder whose first token its user gives, such as a language")
    if folder.package.get("target_prefix"):
        faults.append(f"the target prefix {folder.package['target_prefix']!r}")
    if faults:
        raise ExportError(f"{folder.stored.path} is not supported: it has {'; '.join(faults)}")
    return attributes


def _pairs(
    folder: Folder, source: SideVocabulary, options: ImportOptions
) -> tuple[LanguagePair, ...]:
    package = folder.package
    sources = options.sources or tuple(filter(None, [package.get("from_code")]))
    targets = options.targets or tuple(filter(None, [package.get("to_code")]))
    tags, start = target_tags(source.pieces), folder.config.source_start
    if start is None:
        return directions(sources, targets, tags)
    if tags and start not in tags.values():
        raise ExportError(
            f"{folder.path}: {start} and a tag for the target language, both before a source, are "
            "not supported"
        )
    pairs = directions(sources, targets, {})
    return tuple(pair.model_copy(update={"source_prefix": start}) for pair in pairs)


def _original(
    folder: Folder, source: SideVocabulary, target: SideVocabulary, vocab_size: int
) -> OriginalProgram | None:
    try:
        from export.importers.ct2.original import CTranslate2Original
    except ImportError:
        return None
    try:
        return CTranslate2Original(
            folder.path,
            source.pieces,
            target.pieces,
            vocab_size=vocab_size,
            added_start=folder.config.source_start,
            added_end=folder.config.source_end,
            end=folder.config.end,
        )
    except RuntimeError as error:
        raise ExportError(f"{folder.path}: CTranslate2 cannot load it: {error}") from error
