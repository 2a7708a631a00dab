"""Models of CTranslate2, as OpenNMT, OPUS-MT and Argos Translate are handed out."""

from collections.abc import Mapping

from bundle.manifest import LanguagePair
from export.errors import ExportError
from export.importers.ct2_attributes import Attributes, read_attributes
from export.importers.ct2_folder import Folder, open_folder
from export.importers.ct2_layers import unknown_parts
from export.importers.ct2_network import read_network
from export.importers.ct2_vocabulary import read_sides
from export.importers.foreign import ForeignModel, origin_of
from export.importers.languages import directions, target_tags
from export.importers.options import ImportOptions
from export.importers.side import Side
from export.network import Float32
from export.reference import Reference

KIND = "ctranslate2"


def read(options: ImportOptions) -> ForeignModel:
    """Read a model.

    Raises:
        ExportError: It is not one of these, or something in it is missing or broken.
    """
    folder = open_folder(options.path)
    tensors = folder.stored.tensors()
    attributes = _supported(folder, tensors)
    sides = read_sides(folder, starts_from_zero=attributes.starts_from_zero)
    network = read_network(folder, tensors, attributes, sides, options)
    source, target = sides
    paths = (*folder.files, *source.files, *target.files)
    return ForeignModel(
        network=network,
        source_tokenizer=source.model,
        target_tokenizer=None if source.model == target.model else target.model,
        pairs=_pairs(folder, source, options),
        origin=origin_of(KIND, folder.root, {path.name: path for path in paths}),
        config_text=folder.config_text,
        reference=_reference(folder, sides, network.architecture.vocab_size),
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


def _pairs(folder: Folder, source: Side, options: ImportOptions) -> tuple[LanguagePair, ...]:
    known = folder.package
    sources = options.sources or tuple(filter(None, [known.get("from_code")]))
    targets = options.targets or tuple(filter(None, [known.get("to_code")]))
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


def _reference(folder: Folder, sides: tuple[Side, Side], vocab_size: int) -> Reference | None:
    try:
        from export.importers.ct2_reference import CTranslate2Reference
    except ImportError:
        return None
    source, target = sides
    try:
        return CTranslate2Reference(
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
