"""The order of an import: read, understand, and then what every export goes through."""

from collections.abc import Iterator
from dataclasses import replace

from bundle.manifest import LanguagePair, Manifest
from bundle.tensors import SOURCE_TOKENIZER_NAME, TARGET_TOKENIZER_NAME
from bundle.tokenizer import Tokenizer
from export.development_set import DevelopmentSet, encode_pairs, in_turns
from export.errors import ExportError
from export.exporter import make_bundle
from export.importers import ct2_model, fairseq, hf_marian, joeynmt, marian, opennmt, torch_module
from export.importers.foreign import ForeignModel, Importer
from export.importers.options import DevelopmentFile, ImportOptions
from export.importers.trials import made_up
from export.importers.twin import twin_of
from export.job import ExportJob, calibration_pairs, check_job
from export.packing import check_replaceable
from export.provenance import foreign_provenance
from model.corpus import read_pairs

IMPORTERS: dict[str, Importer] = {
    ct2_model.KIND: ct2_model.read,
    fairseq.KIND: fairseq.read,
    hf_marian.KIND: hf_marian.read,
    joeynmt.KIND: joeynmt.read,
    marian.KIND: marian.read,
    opennmt.KIND: opennmt.read,
    torch_module.KIND: torch_module.read,
}
"""By what `pellucid import` calls the kind of a checkpoint."""


def import_bundle(options: ImportOptions) -> Manifest:
    """Import a checkpoint; the bundle appears under its name only if it passed everything.

    Raises:
        ExportError: The checkpoint or the options cannot be used, or the bundle did not pass.
        ModelError: The development set cannot be read.
        InvalidBundleError: The service's own loader refuses it.
    """
    check_replaceable(options.out, force=options.force)
    if options.precision == "int8" and not options.dev:
        raise ExportError(
            "int8 takes its scales from real sentences and has to prove its quality with them: "
            "give --dev FILE with sentences and their translations, or --precision fp32"
        )
    return make_bundle(prepare(IMPORTERS[options.kind](options), options))


def prepare(foreign: ForeignModel, options: ImportOptions) -> ExportJob:
    """Find sentences to verify a foreign model with.

    Raises:
        ExportError: No bundle can be made of it, or the sentences do not fit.
        ModelError: They cannot be read.
    """
    tokenizer = _tokenizer(foreign)
    check_job(foreign.network, tokenizer, options)
    directed = list(_directed(foreign, tokenizer, options))
    count = options.verification_sentences
    dev = tuple(replace(each, pairs=each.pairs[:count]) for each in directed)
    return ExportJob(
        options=options,
        model=twin_of(foreign.network),
        network=foreign.network,
        tokenizer=tokenizer,
        tokenizer_files=foreign.tokenizer_files,
        pairs=foreign.pairs,
        decoding=foreign.decoding,
        provenance=foreign_provenance(foreign.origin, foreign.config_text),
        dev=dev,
        trials=dev or made_up(tokenizer, foreign.pairs, options),
        calibration=tuple(in_turns([calibration_pairs(each, options) for each in directed])),
        reference=foreign.reference,
    )


def _tokenizer(foreign: ForeignModel) -> Tokenizer:
    files, network = foreign.tokenizer_files, foreign.network
    source, target = files[SOURCE_TOKENIZER_NAME], files.get(TARGET_TOKENIZER_NAME)
    try:
        return Tokenizer(source, target, network.special_ids, network.architecture)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"the vocabulary makes no tokenizer: {error}") from error


def _directed(
    foreign: ForeignModel, tokenizer: Tokenizer, options: ImportOptions
) -> Iterator[DevelopmentSet]:
    for file in options.dev:
        pair = _pair_of(file, foreign.pairs)
        encoded = encode_pairs(
            read_pairs(file.path.name, file.path.parent)[0],
            tokenizer,
            pair,
            max_source=options.max_source_tokens,
            max_target=options.max_target_tokens,
        )
        if not encoded:
            raise ExportError(f"{file.path}: every sentence is longer than the bundle would take")
        yield DevelopmentSet(name=file.path.name, pair=pair, pairs=tuple(encoded))


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
