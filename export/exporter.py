"""The order of an export: build, prove, write, verify, and only then give it its name."""

import datetime
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundle.manifest import (
    MANIFEST_NAME,
    Canary,
    DataSource,
    LanguagePair,
    Manifest,
    ParityReport,
    Precision,
    Provenance,
    Quantization,
)
from bundle.reader import Bundle, read_bundle
from bundle.tensors import MODEL_CARD_NAME, SOURCE_TOKENIZER_NAME
from bundle.tokenizer import Tokenizer
from export.calibration import calibrate
from export.errors import ExportError
from export.graphs import write_graphs
from export.model_card import model_card
from export.network import Network, network_of
from export.options import ExportOptions
from export.packing import file_entries
from export.parity import check_parity, measure_parity
from export.quality import DevelopmentSet, check_quality, measure_quality
from export.quantize import ActivationPlan
from model.checkpoint import Checkpoint, load_checkpoint
from model.corpus import SentencePair, read_pairs
from service.engine.batch import decode_batch
from service.engine.options import DecodeOptions
from service.engine.sessions import Sessions, check_attention, open_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What every stage of an export needs."""

    options: ExportOptions
    checkpoint: Checkpoint
    network: Network
    tokenizer: Tokenizer
    pair: LanguagePair
    dev: DevelopmentSet


def export_bundle(options: ExportOptions) -> Manifest:
    """Export a checkpoint; the bundle appears under its name only if it passed everything.

    Raises:
        ExportError: The checkpoint or the options cannot be used, or the bundle did not pass.
        InvalidBundleError: The service's own loader refuses it.
    """
    if options.out.exists() and not options.force:
        raise ExportError(f"{options.out} exists: use --force to replace it, or name another")
    job = _prepare(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=options.out.parent) as folder:
        staged, manifest = _build(job, Path(folder))
        _verify(staged)
        if options.out.exists():
            shutil.rmtree(options.out)
        staged.rename(options.out)
    return manifest


def _prepare(options: ExportOptions) -> _Job:
    checkpoint = load_checkpoint(options.checkpoint)
    data = checkpoint.config.data
    network = network_of(
        checkpoint.model,
        max_source=options.max_source_tokens,
        max_target=options.max_target_tokens,
    )
    longest = checkpoint.model.architecture.max_positions
    if max(options.max_source_tokens, options.max_target_tokens) > longest:
        raise ExportError(f"the model has {longest} positions: ask for no more tokens than that")
    tokenizer = Tokenizer(checkpoint.tokenizer_path, None, network.special_ids)
    pair = LanguagePair(source=data.source_language, target=data.target_language)
    pairs, _ = read_pairs(data.dev, options.data)
    dev = _development_set(str(data.dev), pairs[: options.verification_sentences], tokenizer, pair)
    return _Job(
        options=options,
        checkpoint=checkpoint,
        network=network,
        tokenizer=tokenizer,
        pair=pair,
        dev=_within_limits(dev, options),
    )


def _development_set(
    name: str, pairs: Sequence[SentencePair], tokenizer: Tokenizer, pair: LanguagePair
) -> DevelopmentSet:
    return DevelopmentSet(
        name=name,
        pair=pair,
        sources=tuple(p.source for p in pairs),
        references=tuple(p.target for p in pairs),
        source_ids=tuple(tuple(tokenizer.encode_source(p.source, pair)) for p in pairs),
        target_ids=tuple(tuple(tokenizer.encode_target(p.target)) for p in pairs),
    )


def _within_limits(dev: DevelopmentSet, options: ExportOptions) -> DevelopmentSet:
    """Without sentences that the bundle would not take; no development set has many."""
    kept = [
        i
        for i, (source, target) in enumerate(zip(dev.source_ids, dev.target_ids, strict=True))
        if len(source) <= options.max_source_tokens and len(target) <= options.max_target_tokens
    ]
    names = ("sources", "references", "source_ids", "target_ids")
    return replace(dev, **{n: tuple(getattr(dev, n)[i] for i in kept) for n in names})


def _build(job: _Job, folder: Path) -> tuple[Path, Manifest]:
    plain = _open(job, None, folder / "fp32", "fp32")
    parity = measure_parity(job.checkpoint.model, plain, job.dev.source_ids, job.dev.target_ids)
    check_parity(parity)
    quality = [measure_quality(plain, plain, job.dev)]
    served, plan = plain, None
    if job.options.precision == "int8":
        count = job.options.calibration_sentences
        ids = list(zip(job.dev.source_ids, job.dev.target_ids, strict=True))[-count:]
        plan = calibrate(job.network, ids)
        served = _open(job, plan, folder / "int8", "int8")
        quality.append(measure_quality(served, plain, job.dev))
        check_quality(quality, job.options.max_bleu_loss)
    manifest = served.bundle.manifest.model_copy(
        update={"parity": parity, "quality": tuple(quality), "canary": _canary(served, job.dev)}
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
        name=options.name or options.out.name,
        pairs=(job.pair,),
        special_ids=job.network.special_ids,
        max_source_tokens=options.max_source_tokens,
        max_target_tokens=options.max_target_tokens,
        architecture=job.network.architecture,
        precision=precision,
        batch_invariant=True,
        quantization=Quantization(
            static_tensors=tuple(sorted(plan.static_scales)) if plan else (),
            per_row_tensors=tuple(sorted(plan.per_row)) if plan else (),
        ),
        files={},
        provenance=_provenance(job.checkpoint),
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


def _provenance(checkpoint: Checkpoint) -> Provenance:
    licences = {s.name: s.licence for s in checkpoint.config.data.sources}
    progress = checkpoint.progress
    now = datetime.datetime.now(datetime.UTC)
    return Provenance(
        created=now.isoformat(timespec="seconds"),
        commit=_commit(),
        training_config=checkpoint.config_text,
        training_steps=progress.step,
        training_target_tokens=progress.target_tokens,
        training_minutes=round(progress.seconds / 60, 1),
        data=tuple(
            DataSource(name=name, licence=licences.get(name, ""), pairs=pairs)
            for name, pairs in sorted(checkpoint.num_pairs.items())
        ),
    )


def _commit() -> str:
    """Commit of the code that exports, where it is a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()


def _canary(sessions: Sessions, dev: DevelopmentSet) -> Canary:
    """The first development sentence and its greedy translation."""
    longest = sessions.bundle.manifest.max_target_tokens
    options = DecodeOptions(max_target_tokens=longest, with_scores=False)
    hypotheses = decode_batch(sessions, dev.source_ids[:1], options)[0]
    return Canary(pair=dev.pair, source_text=dev.sources[0], target_ids=hypotheses[0].target_ids)


def _finish(folder: Path, manifest: Manifest) -> Manifest:
    (folder / MODEL_CARD_NAME).write_text(model_card(manifest), encoding="utf-8")
    manifest = manifest.model_copy(update={"files": file_entries(folder.iterdir())})
    text = manifest.model_dump_json(indent=2)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
    return manifest


def _verify(folder: Path) -> None:
    """Load the staged bundle as the service will."""
    check_attention(open_sessions(read_bundle(folder)))
