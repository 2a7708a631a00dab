"""`GET /models`: the description of served bundles."""

from typing import Literal

from bundle.manifest import (
    AlignmentHead,
    Architecture,
    DecodingDefaults,
    HeadsReport,
    LanguagePair,
    Precision,
    QualityReport,
    Quantization,
    Shortlist,
)
from bundle.parity import ParityReport
from bundle.provenance import Provenance
from bundle.tensors import STATES_NAME
from service.api.replies.json import Json, Reply
from service.inspection.causes.methods import methods_of
from service.inspection.values import Method
from service.models.served_bundle import ServedBundle


class CanaryReply(Reply):
    """What the readiness probe last saw."""

    source_text: str
    """The sentence that the probe translates."""
    state: Literal["ok", "failing"]
    """Whether its translation is as expected."""
    reason: str | None
    """Why it is failing."""


class ModelReply(Reply):
    """One bundle."""

    name: str
    """Of the bundle."""
    pairs: list[LanguagePair]
    """Directions that it translates."""
    sha256: str
    """Digest of the manifest and so, through it, of every file."""
    architecture: Architecture
    """Of the network."""
    precision: Precision
    """Of its weights."""
    batch_invariant: bool
    """A text's translation never depends on what is translated beside it."""
    quantization: Quantization
    """How weights became integers."""
    placeholders: list[str]
    """Pieces that the model copies, in place of what must not be translated."""
    alignment_head: AlignmentHead | None
    """Where word alignments are read; null: no head was trained for it."""
    methods: list[Method]
    """How `POST /attention` can explain its translations."""
    states: bool
    """Whether `POST /attention` can show what layers of its encoder compute."""
    heads: HeadsReport | None
    """What each attention head does and what is lost without it; null: not measured."""
    shortlist: Shortlist | None
    """What greedy search chooses from instead of the whole vocabulary, if anything."""
    max_source_tokens: int
    """Longest sentence; a longer one is split."""
    max_target_tokens: int
    """Longest translation of a sentence."""
    decoding: DecodingDefaults
    """What a request without options gets."""
    quality: list[QualityReport]
    """Measured at export."""
    parity: ParityReport
    """How the graphs compare with the network."""
    provenance: Provenance
    """Where the model comes from."""
    canary: CanaryReply
    """Whether the bundle is well."""


def model_content(served: ServedBundle) -> Json:
    """Body of `GET /models` for one bundle."""
    manifest = served.bundle.manifest
    described = manifest.model_dump(mode="json", include=set(ModelReply.model_fields) - {"canary"})
    fault = served.fault
    return {
        **described,
        "sha256": served.bundle.sha256,
        "methods": methods_of(served.bundle),
        "states": served.bundle.has_file(STATES_NAME),
        "canary": {
            "source_text": manifest.canary.source_text,
            "state": "ok" if fault is None else "failing",
            "reason": fault,
        },
    }
