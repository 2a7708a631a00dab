"""A bundle that is not yet verified: its files, open, under a manifest that lacks all figures."""

from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from bundle.manifest import (
    Canary,
    Manifest,
    ParityReport,
    Precision,
    Quantization,
)
from bundle.reader import Bundle
from export.graphs import write_graphs
from export.job import ExportJob
from export.quantize import ActivationPlan
from export.shortlist import ShortlistPlan
from service.engine.graphs.sessions import Sessions, check_attention, open_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a network is written down."""

    plan: ActivationPlan | None = None
    """None: in fp32."""
    shortlist: ShortlistPlan | None = None
    """In int8 only."""

    @property
    def precision(self) -> Precision:
        """As the manifest calls it."""
        return "fp32" if self.plan is None else "int8"


def open_draft(job: ExportJob, form: Form, folder: Path) -> Sessions:
    """Write a bundle's files to a new folder and open its graphs."""
    folder.mkdir()
    write_graphs(job.network, form.plan, folder, form.shortlist)
    for name, content in job.tokenizer_files.items():
        (folder / name).write_bytes(content)
    bundle = Bundle(
        path=folder,
        manifest=_manifest(job, form),
        tokenizer=job.tokenizer,
        sha256="",
        shortlist=form.shortlist.table if form.shortlist else None,
    )
    sessions = open_sessions(bundle)
    check_attention(sessions)
    return sessions


def _manifest(job: ExportJob, form: Form) -> Manifest:
    options, plan = job.options, form.plan
    return Manifest(
        format_version=1,
        name=options.name or options.out.absolute().name,
        pairs=job.pairs,
        special_ids=job.network.special_ids,
        placeholders=job.placeholders,
        max_source_tokens=options.max_source_tokens,
        max_target_tokens=options.max_target_tokens,
        architecture=job.network.architecture,
        precision=form.precision,
        cache="int8" if plan and plan.cache else "float32",
        batch_invariant=False,
        quantization=Quantization(
            static_tensors=tuple(sorted(plan.static)) if plan else (),
            per_row_tensors=tuple(sorted(plan.per_row)) if plan else (),
            noise_ratios=_rounded(plan.noise_ratios) if plan else {},
        ),
        shortlist=form.shortlist.report if form.shortlist else None,
        onnxruntime=ort.__version__,
        decoding=job.decoding,
        files={},
        provenance=job.provenance,
        parity=NOT_MEASURED,
        canary=Canary(pair=job.pairs[0], source_text="", target_ids=()),
    )


def _rounded(ratios: dict[str, float]) -> dict[str, float]:
    return {name: round(ratio, 2) for name, ratio in sorted(ratios.items())}


NOT_MEASURED = ParityReport(
    encoder_max_error=0,
    first_step_max_error=0,
    later_steps_max_error=0,
    ragged_batch_max_error=0,
    attention_max_error=0,
    cached_attention_max_error=0,
    sentences=0,
    identical_sentences=0,
    token_agreement=0,
)
"""Stands in a manifest until parity is measured."""
