"""A bundle in its staging folder: written and open, with a manifest that lacks all measurements."""

from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from bundle.manifest import Canary, Manifest, Precision, Quantization
from bundle.parity import ParityReport
from bundle.reader import Bundle
from export.graphs.writer import write_graphs
from export.inputs.job import ExportJob
from export.lexicon.shortlist import ShortlistPlan
from export.quantization import ActivationPlan
from service.engine.graphs.sessions import Sessions, check_attention, open_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphVariant:
    """Options of the graphs of a network: precision and shortlist."""

    plan: ActivationPlan | None = None
    """Quantisation of activations; None builds in fp32."""
    shortlist: ShortlistPlan | None = None
    """Int8 only."""

    @property
    def precision(self) -> Precision:
        """The manifest's name of it."""
        return "fp32" if self.plan is None else "int8"


def open_staged(job: ExportJob, variant: GraphVariant, folder: Path) -> Sessions:
    """Write a bundle's files to a new folder and open its graphs."""
    folder.mkdir()
    write_graphs(job.model.network, variant.plan, folder, variant.shortlist)
    for name, content in job.model.tokenizer_files.items():
        (folder / name).write_bytes(content)
    bundle = Bundle(
        path=folder,
        manifest=_manifest(job, variant),
        loaded=[job.model.tokenizer],
        sha256="",
        shortlist=variant.shortlist.table if variant.shortlist else None,
    )
    sessions = open_sessions(bundle)
    check_attention(sessions)
    return sessions


def _manifest(job: ExportJob, variant: GraphVariant) -> Manifest:
    options, model, plan = job.options, job.model, variant.plan
    return Manifest(
        format_version=1,
        name=options.name or options.out.absolute().name,
        pairs=model.pairs,
        special_ids=model.network.special_ids,
        placeholders=model.placeholders,
        max_source_tokens=model.network.max_source_tokens,
        max_target_tokens=model.network.max_target_tokens,
        architecture=model.network.architecture,
        precision=variant.precision,
        cache="int8" if plan and plan.cache else "float32",
        batch_invariant=False,
        quantization=Quantization(
            static_tensors=tuple(sorted(plan.static)) if plan else (),
            per_row_tensors=tuple(sorted(plan.per_row)) if plan else (),
            noise_ratios=_rounded(plan.noise_ratios) if plan else {},
        ),
        shortlist=variant.shortlist.report if variant.shortlist else None,
        onnxruntime=ort.__version__,
        decoding=model.decoding,
        files={},
        provenance=model.provenance,
        lineage=model.lineage,
        parity=NOT_MEASURED,
        canary=Canary(pair=model.pairs[0], source_text="", target_ids=()),
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
"""Placeholder in the manifest until parity is measured."""
