"""The steps of an export: build, verify, quantise, verify again, publish."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from bundle.errors import InvalidBundleError
from bundle.manifest import (
    MANIFEST_NAME,
    AlignmentHead,
    HeadsReport,
    KnownWords,
    Manifest,
    QualityReport,
)
from bundle.parity import ParityReport
from bundle.reader import read_bundle
from bundle.tensors import MODEL_CARD_NAME
from export.calibration.activations import calibrate
from export.calibration.doubt import calibrate_doubt
from export.errors import VerificationError
from export.inputs.job import ExportJob, ShortlistText
from export.lexicon.ibm_model_1 import Lexicon, learn_lexicon
from export.lexicon.known_words import write_known_words
from export.lexicon.shortlist import build_shortlist, encode_some
from export.options import ExportOptions
from export.publication.model_card import model_card
from export.publication.packing import check_replaceable, file_entries, publish
from export.publication.staging import GraphVariant, open_staged
from export.quantization import ActivationPlan
from export.verification.alignment_head import choose_alignment_head
from export.verification.canary import choose_canary
from export.verification.heads import affordable_sentences, measure_heads
from export.verification.invariance import check_invariance
from export.verification.original_parity import check_original, measure_original
from export.verification.parity import check_parity, measure_parity
from export.verification.quality import BEAM_SIZES, QualityMeter, check_precision, check_shortlist
from export.verification.reference_network import Ids
from export.verification.speed import measure_speedups
from model.data.corpus import read_pairs
from model.errors import ModelError
from service.engine.errors import EngineError
from service.engine.graphs.sessions import Sessions, check_attention, open_sessions

LEXICON_PAIRS = 50_000
"""Sentence pairs of a direction: enough to tell one head from another."""


def export_bundle(options: ExportOptions) -> Manifest:
    """Export a checkpoint; the bundle appears under its name only if it passed everything.

    Raises:
        ExportError: The checkpoint or the options cannot be used, or the bundle did not pass.
        ModelError: The checkpoint or the development set cannot be read.
        InvalidBundleError: The service's own loader refuses it.
    """
    from export.inputs.training_run import prepare_run  # here: it imports torch

    check_replaceable(options.out, force=options.force)
    return make_bundle(prepare_run(options))


def make_bundle(job: ExportJob) -> Manifest:
    """Build and verify a bundle; it appears under its name only if it passed everything.

    Raises:
        ExportError: It did not pass.
        InvalidBundleError: The service's own loader refuses it.
    """
    out = job.options.out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as folder:
        try:
            staged, manifest = _build(job, Path(folder))
        except EngineError as error:
            raise VerificationError(f"the engine cannot run the graphs: {error}") from error
        # Read once more from the files, as the service does.
        check_attention(open_sessions(read_bundle(staged)))
        publish(staged, out)
    return manifest


def _build(job: ExportJob, folder: Path) -> tuple[Path, Manifest]:
    """Build and verify in `folder`; returns the path of the bundle in it, and its manifest."""
    plain = open_staged(job, GraphVariant(), folder / "fp32")
    sources = [p.source_ids for p in job.verification]
    targets = [p.target_ids for p in job.verification]
    parity = _measure_parity(job, plain, sources, targets)
    meters = [QualityMeter(plain, dev) for dev in job.dev]
    quality = _measure(meters, plain)
    served = plain
    if job.options.precision == "int8":
        served, more = _build_int8(job, meters, quality, folder)
        quality += more
    check_invariance(served, sources)
    served = _with_manifest(served, alignment_head=_alignment_head(job, served))
    found = {
        "parity": parity,
        "quality": tuple(quality),
        "batch_invariant": True,
        "doubt": calibrate_doubt(served, job.dev),
        "heads": _heads(job, served),
        "known_words": _known_words(job, served.bundle.path),
    }
    manifest = served.bundle.manifest.model_copy(
        update={**found, "canary": choose_canary(served, job.verification_sets[0])}
    )
    return served.bundle.path, _finish(served.bundle.path, manifest)


def _measure_parity(job: ExportJob, plain: Sessions, sources: Ids, targets: Ids) -> ParityReport:
    parity = measure_parity(job.model.reference, plain, sources, targets)
    check_parity(parity)
    if job.model.original is None:
        return parity
    original = measure_original(job.model.original, plain, sources)
    check_original(original)
    return parity.model_copy(update={"original": original})


def _alignment_head(job: ExportJob, served: Sessions) -> AlignmentHead | None:
    """The checkpoint's own, or the best; None without development data to find it with."""
    if job.model.alignment_head or not job.dev:
        return job.model.alignment_head
    return choose_alignment_head(served, job.verification, _lexicon(job))


def _heads(job: ExportJob, served: Sessions) -> HeadsReport | None:
    """None without development data, where they are not wanted, or cannot be left out."""
    wanted = job.options.head_sentences
    if not wanted or not job.dev:
        return None
    count = affordable_sentences(served.bundle.manifest.architecture, wanted)
    try:
        return measure_heads(served, job.dev[0], count)
    except InvalidBundleError as error:
        tqdm.write(f"heads are not measured: {error}", file=sys.stderr)
        return None


def _known_words(job: ExportJob, folder: Path) -> tuple[KnownWords, ...]:
    """None where the model is imported, or its training text is not there."""
    if job.model.training_text is None:
        return ()
    try:
        return write_known_words(folder, job.model.training_text)
    except ModelError as error:
        tqdm.write(f"known words are not collected: {error}", file=sys.stderr)
        return ()


def _with_manifest(sessions: Sessions, **changes: object) -> Sessions:
    manifest = sessions.bundle.manifest.model_copy(update=changes)
    return replace(sessions, bundle=replace(sessions.bundle, manifest=manifest))


def _build_int8(
    job: ExportJob, meters: list[QualityMeter], plain: list[QualityReport], folder: Path
) -> tuple[Sessions, list[QualityReport]]:
    if job.model.plan is not None:
        return _build_stored(job, job.model.plan, meters, folder)
    ids = [(p.source_ids, p.target_ids) for p in job.calibration]
    plan = calibrate(job.model.network, ids, job.options.calibration)
    sessions = open_staged(job, GraphVariant(plan=plan), folder / "int8")
    quality = _measure(meters, sessions)
    check_precision([*plain, *quality], job.options.max_bleu_loss)
    if not isinstance(job.model.shortlist, ShortlistText):
        return sessions, quality
    short = _open_shortlisted(job, job.model.shortlist, plan, folder / "shortlist")
    shortened = [meter.measure(short) for meter in meters]
    check_shortlist(shortened, quality)
    return _with_speedups(short, sessions, job), quality + shortened


def _build_stored(
    job: ExportJob, plan: ActivationPlan, meters: list[QualityMeter], folder: Path
) -> tuple[Sessions, list[QualityReport]]:
    """The int8 that a checkpoint was published in: measured, but not held against its fp32."""
    shortlist = job.model.shortlist
    assert not isinstance(shortlist, ShortlistText)
    variant = GraphVariant(plan=plan, shortlist=shortlist)
    sessions = open_staged(job, variant, folder / "int8")
    return sessions, _measure(meters, sessions)


def _measure(meters: list[QualityMeter], sessions: Sessions) -> list[QualityReport]:
    return [meter.measure(sessions, beam_size) for meter in meters for beam_size in BEAM_SIZES]


def _open_shortlisted(
    job: ExportJob, text: ShortlistText, plan: ActivationPlan, folder: Path
) -> Sessions:
    pairs = read_pairs(text.pairs, text.data)[0]
    shortlist = build_shortlist(pairs, text.directions, job.model.tokenizer, text.size)
    return open_staged(job, GraphVariant(plan=plan, shortlist=shortlist), folder)


def _lexicon(job: ExportJob) -> Lexicon:
    """Learn from the shortlist's pairs where there are any, else from the development data."""
    model = job.model
    if not isinstance(model.shortlist, ShortlistText):
        pairs = [p for dev in job.dev for p in dev.pairs]
        sources = [list(p.source_ids) for p in pairs]
        targets = [list(p.target_ids[:-1]) for p in pairs]
    else:
        text = read_pairs(model.shortlist.pairs, model.shortlist.data)[0]
        directions = model.shortlist.directions
        sources, targets = encode_some(text, directions, model.tokenizer, LEXICON_PAIRS)
    both = [(s, t) for s, t in zip(sources, targets, strict=True) if t]
    return learn_lexicon([s for s, _ in both], [t for _, t in both], model.tokenizer.vocab_size)


def _with_speedups(short: Sessions, whole: Sessions, job: ExportJob) -> Sessions:
    manifest = short.bundle.manifest
    assert manifest.shortlist is not None
    sources = [p.source_ids for p in job.verification]
    speedups = measure_speedups(short, whole, sources)
    found = manifest.shortlist.model_copy(update={"speedups": speedups})
    return _with_manifest(short, shortlist=found)


def _finish(folder: Path, manifest: Manifest) -> Manifest:
    (folder / MODEL_CARD_NAME).write_text(model_card(manifest), encoding="utf-8")
    manifest = manifest.model_copy(update={"files": file_entries(folder.iterdir())})
    text = manifest.model_dump_json(indent=2)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
    return manifest
