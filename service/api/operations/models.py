"""`GET /models`: the description of served bundles."""

from typing import Literal

from bundle.manifest import (
    AlignmentHead,
    Architecture,
    DecodingDefaults,
    HeadsReport,
    LanguagePair,
    ParityReport,
    Precision,
    Provenance,
    QualityReport,
    Quantization,
    Shortlist,
)
from service.api.replies.json import Json, Reply
from service.models.served_bundle import ServedBundle


class CanaryReply(Reply):
    """What the readiness probe last saw."""

    source_text: str
    state: Literal["ok", "failing"]
    reason: str | None
    """Why it is failing."""


class ModelReply(Reply):
    """One bundle."""

    name: str
    pairs: list[LanguagePair]
    sha256: str
    """Digest of the manifest and so, through it, of every file."""
    architecture: Architecture
    precision: Precision
    batch_invariant: bool
    """A text's translation never depends on what is translated beside it."""
    quantization: Quantization
    placeholders: list[str]
    """Pieces that the model copies, in place of what must not be translated."""
    alignment_head: AlignmentHead | None
    """Where word alignments are read; null: no head was trained for it."""
    heads: HeadsReport | None
    """What each attention head does and what is lost without it; null: not measured."""
    shortlist: Shortlist | None
    """What greedy search chooses from instead of the whole vocabulary, if anything."""
    max_source_tokens: int
    max_target_tokens: int
    decoding: DecodingDefaults
    quality: list[QualityReport]
    parity: ParityReport
    provenance: Provenance
    canary: CanaryReply


def model_content(served: ServedBundle) -> Json:
    """Body of `GET /models` for one bundle."""
    manifest = served.bundle.manifest
    described = manifest.model_dump(mode="json", include=set(ModelReply.model_fields) - {"canary"})
    fault = served.fault
    return {
        **described,
        "sha256": served.bundle.sha256,
        "canary": {
            "source_text": manifest.canary.source_text,
            "state": "ok" if fault is None else "failing",
            "reason": fault,
        },
    }
