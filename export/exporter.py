"""The order of an export: build, prove, write, verify, and only then give it its name."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bundle.manifest import (
    MANIFEST_NAME,
    Canary,
    LanguagePair,
    Manifest,
    ParityReport,
    Precision,
    Quantization,
)
from bundle.reader import Bundle, read_bundle
from bundle.tensors import MODEL_CARD_NAME, SOURCE_TOKENIZER_NAME
from bundle.tokenizer import Tokenizer
from export.calibration import calibrate
from export.canary import choose_canary
from export.development_set import DevelopmentPair, DevelopmentSet, encode_pairs
from export.errors import ExportError, VerificationError
from export.graphs import write_graphs
from export.invariance import check_invariance
from export.model_card import model_card
from export.network import Network, network_of
from export.options import ExportOptions
from export.packing import check_replaceable, file_entries, publish
from export.parity import check_parity, measure_parity
from export.provenance import provenance_of
from export.quality import check_quality, measure_quality
from export.quantize import ActivationPlan
from model.checkpoint import Checkpoint, load_checkpoint
from model.corpus import read_pairs
from service.engine.errors import EngineError
from service.engine.sessions import Sessions, check_attention, open_sessions

HEAD_DIM_STEP = 8
"""onnxruntime's fused attention takes no other head widths than multiples of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What every stage of an export needs."""

    options: ExportOptions
    checkpoint: Checkpoint
    network: Network
    tokenizer: Tokenizer
    pair: LanguagePair
    dev: DevelopmentSet
    """To verify with."""
    calibration: tuple[DevelopmentPair, ...]


def export_bundle(options: ExportOptions) -> Manifest:
    """Export a checkpoint; the bundle appears under its name only if it passed everything.

    Raises:
        ExportError: The checkpoint or the options cannot be used, or the bundle did not pass.
        ModelError: The checkpoint or the development set cannot be read.
        InvalidBundleError: The service's own loader refuses it.
    """
    check_replaceable(options.out, force=options.force)
    job = _prepare(options)
    out = options.out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as folder:
        try:
            staged, manifest = _build(job, Path(folder))
        except EngineError as error:
            raise VerificationError(f"the engine cannot run the graphs: {error}") from error
        # Once more from the files, as the service will.
        check_attention(open_sessions(read_bundle(staged)))
        publish(staged, out)
    return manifest


def _prepare(options: ExportOptions) -> _Job:
    checkpoint = load_checkpoint(options.checkpoint)
    data = checkpoint.config.data
    max_source, max_target = options.max_source_tokens, options.max_target_tokens
    network = network_of(checkpoint.model, max_source=max_source, max_target=max_target)
    tokenizer = _load_tokenizer(checkpoint, network)
    _check_limits(checkpoint, tokenizer, options)
    pair = LanguagePair(source=data.source_language, target=data.target_language)
    pairs = encode_pairs(
        read_pairs(data.dev, options.data)[0],
        tokenizer,
        pair,
        max_source=max_source,
        max_target=max_target,
    )
    if not pairs:
        raise ExportError(f"{data.dev}: every sentence is longer than the bundle would take")
    count = options.calibration_sentences
    dev, rest = pairs[: options.verification_sentences], pairs[options.verification_sentences :]
    return _Job(
        options=options,
        checkpoint=checkpoint,
        network=network,
        tokenizer=tokenizer,
        pair=pair,
        dev=DevelopmentSet(name=str(data.dev), pair=pair, pairs=tuple(dev)),
        calibration=tuple(rest[:count] if len(rest) >= count else pairs[-count:]),
    )


def _load_tokenizer(checkpoint: Checkpoint, network: Network) -> Tokenizer:
    try:
        return Tokenizer(checkpoint.tokenizer_path, None, network.special_ids)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"the tokenizer must lie beside the checkpoint: {error}") from error


def _check_limits(checkpoint: Checkpoint, tokenizer: Tokenizer, options: ExportOptions) -> None:
    shape = checkpoint.model.architecture
    faults = []
    if shape.head_dim % HEAD_DIM_STEP:
        faults.append(
            f"heads are {shape.head_dim} wide, onnxruntime takes multiples of {HEAD_DIM_STEP}: "
            "train with another num_heads"
        )
    if max(options.max_source_tokens, options.max_target_tokens) > shape.max_positions:
        faults.append(
            f"the model has {shape.max_positions} positions: ask for no more tokens than that"
        )
    if tokenizer.vocab_size != shape.vocab_size:
        faults.append(
            f"the tokenizer has {tokenizer.vocab_size} pieces, the model {shape.vocab_size}: "
            "they are not of the same run"
        )
    if faults:
        raise ExportError("; ".join(faults))


def _build(job: _Job, folder: Path) -> tuple[Path, Manifest]:
    """Build and verify in `folder`; returns where the bundle lies in it."""
    plain = _open(job, None, folder / "fp32", "fp32")
    parity = measure_parity(job.checkpoint.model, plain, job.dev.source_ids, job.dev.target_ids)
    check_parity(parity)
    quality = [measure_quality(plain, plain, job.dev)]
    served = plain
    if job.options.precision == "int8":
        ids = [(p.source_ids, p.target_ids) for p in job.calibration]
        served = _open(job, calibrate(job.network, ids), folder / "int8", "int8")
        quality.append(measure_quality(served, plain, job.dev))
        check_quality(quality, job.options.max_bleu_loss)
    check_invariance(served, job.dev.source_ids)
    manifest = served.bundle.manifest.model_copy(
        update={
            "parity": parity,
            "quality": tuple(quality),
            "canary": choose_canary(served, job.dev),
            "batch_invariant": True,
        }
    )
    return served.bundle.path, _finish(served.bundle.path, manifest)


def _open(job: _Job, plan: ActivationPlan | None, folder: Path, precision: Precision) -> Sessions:
    """Write the graphs and open them; the manifest still lacks what is measured with them."""
    folder.mkdir()
    write_graphs(job.network, plan, folder)
    shutil.copyfile(job.checkpoint.tokenizer_path, folder / SOURCE_TOKENIZER_NAME)
    manifest = _manifest(job, plan, precision)
    bundle = Bundle(path=folder, manifest=manifest, tokenizer=job.tokenizer, sha256="")
    sessions = open_sessions(bundle)
    check_attention(sessions)
    return sessions


def _manifest(job: _Job, plan: ActivationPlan | None, precision: Precision) -> Manifest:
    options = job.options
    return Manifest(
        format_version=1,
        name=options.name or options.out.absolute().name,
        pairs=(job.pair,),
        special_ids=job.network.special_ids,
        max_source_tokens=options.max_source_tokens,
        max_target_tokens=options.max_target_tokens,
        architecture=job.network.architecture,
        precision=precision,
        batch_invariant=False,
        quantization=Quantization(
            static_tensors=tuple(sorted(plan.static)) if plan else (),
            per_row_tensors=tuple(sorted(plan.per_row)) if plan else (),
        ),
        files={},
        provenance=provenance_of(job.checkpoint),
        parity=_NOT_MEASURED,
        canary=Canary(pair=job.pair, source_text="", target_ids=()),
    )


_NOT_MEASURED = ParityReport(
    encoder_max_error=0,
    first_step_max_error=0,
    later_steps_max_error=0,
    ragged_batch_max_error=0,
    attention_max_error=0,
    sentences=0,
    identical_sentences=0,
    token_agreement=0,
)


def _finish(folder: Path, manifest: Manifest) -> Manifest:
    (folder / MODEL_CARD_NAME).write_text(model_card(manifest), encoding="utf-8")
    manifest = manifest.model_copy(update={"files": file_entries(folder.iterdir())})
    text = manifest.model_dump_json(indent=2)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
    return manifest
