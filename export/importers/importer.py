"""Imports a checkpoint: reads it, and passes it through the same steps as every export."""

from collections.abc import Iterator

from bundle.manifest import LanguagePair, Manifest
from bundle.tensors import SOURCE_TOKENIZER_NAME, TARGET_TOKENIZER_NAME
from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.exporter import make_bundle
from export.importers.imported_model import ImportedModel, origin_of
from export.importers.kinds import INT8_KINDS, reader_of
from export.importers.options import DevelopmentFile, ImportOptions
from export.inputs.job import ExportJob, TrainedModel
from export.inputs.preparation import prepare
from export.inputs.provenance import imported_provenance
from export.network import Network
from export.publication.packing import check_replaceable
from export.sentences.development_set import ParallelText
from export.verification.numpy_reference import NumpyReference
from export.verification.reference_network import ReferenceNetwork
from model.data.corpus import read_pairs


def import_bundle(options: ImportOptions) -> Manifest:
    """Import a checkpoint; the bundle appears under its name only if it passed everything.

    Raises:
        ExportError: The checkpoint or the options cannot be used, or the bundle did not pass.
        ModelError: The development set cannot be read.
        InvalidBundleError: The service's own loader refuses it.
    """
    check_replaceable(options.out, force=options.force)
    if options.dev and not _has_sacrebleu():
        raise ExportError("--dev measures with sacrebleu: pip install sacrebleu")
    if options.kind not in INT8_KINDS:
        _check_calibration(options)
    imported = reader_of(options.kind)(options)
    if imported.plan is None:
        _check_calibration(options)
    return make_bundle(prepare_import(imported, options))


def _has_sacrebleu() -> bool:
    try:
        import sacrebleu  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def _check_calibration(options: ImportOptions) -> None:
    if options.precision == "int8" and not options.dev:
        raise ExportError(
            "int8 takes its scales from real sentences and has to prove its quality with them: "
            "give --dev FILE with sentences and their translations, or --precision fp32"
        )


def prepare_import(imported: ImportedModel, options: ImportOptions) -> ExportJob:
    """The export of an imported model.

    Raises:
        ExportError: No bundle can be made of it, or the sentences do not fit.
        ModelError: The sentences cannot be read.
    """
    model = TrainedModel(
        reference=_reference(imported.network),
        network=imported.network,
        tokenizer=_tokenizer(imported),
        tokenizer_files=imported.tokenizer_files,
        pairs=imported.pairs,
        provenance=imported_provenance(
            origin_of(options.kind, imported, options.licence), imported.config_text
        ),
        original=imported.original,
        plan=imported.plan,
        shortlist=imported.shortlist if options.precision == "int8" else None,
        alignment_head=imported.alignment_head,
    )
    return prepare(model, _development_texts(options, imported.pairs), options)


def _reference(network: Network) -> ReferenceNetwork:
    """The formulas in torch; in NumPy where torch is missing, and for recurrences."""
    if network.architecture.decoder_cell == "ssru":
        return NumpyReference(network)
    try:
        from export.importers.networks.torch_transformer import torch_transformer
        from export.verification.torch_reference import TorchReference
    except ModuleNotFoundError:
        return NumpyReference(network)
    return TorchReference(torch_transformer(network))


def _tokenizer(imported: ImportedModel) -> Tokenizer:
    files, network = imported.tokenizer_files, imported.network
    source, target = files[SOURCE_TOKENIZER_NAME], files.get(TARGET_TOKENIZER_NAME)
    try:
        return Tokenizer(source, target, network.special_ids, network.architecture)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"the vocabulary makes no tokenizer: {error}") from error


def _development_texts(
    options: ImportOptions, pairs: tuple[LanguagePair, ...]
) -> Iterator[ParallelText]:
    for file in options.dev:
        yield ParallelText(
            name=file.path.name,
            pair=_pair_of(file, pairs),
            sentences=read_pairs(file.path.name, file.path.parent)[0],
        )


def _pair_of(file: DevelopmentFile, pairs: tuple[LanguagePair, ...]) -> LanguagePair:
    names = {f"{pair.source}-{pair.target}": pair for pair in pairs}
    if file.direction is None and len(pairs) == 1:
        return pairs[0]
    if file.direction in names:
        return names[file.direction]
    known = ", ".join(names)
    if file.direction is None:
        raise ExportError(f"--dev {file.path}: of which direction? --dev DIRECTION=FILE; {known}")
    raise ExportError(f"--dev {file.direction}: the model has no such direction, but {known}")
