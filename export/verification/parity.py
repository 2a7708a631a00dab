"""Proves that the fp32 graphs compute what the network computes."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from bundle.parity import ParityReport
from export.errors import VerificationError
from export.verification.forced_decoding import forced_logits, largest_difference, logit_error
from export.verification.reference_network import Ids, ReferenceNetwork, TeacherForced
from service.engine.graphs.attention_pass import PairAttention, attend
from service.engine.graphs.encoder import encode
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions

MAX_ERROR = 1e-4
RAGGED_BATCH = 8
SINGLE_SENTENCES = 8


def measure_parity(
    reference: ReferenceNetwork, sessions: Sessions, sources: Ids, targets: Ids
) -> ParityReport:
    """Compare the reference and onnxruntime on sentences.

    Args:
        reference: The network in fp32 or in double precision.
        sessions: Of the fp32 graphs.
        sources: Source ids, end token included; all are also decoded greedily by both.
        targets: Target ids, end token included.
    """
    few = slice(0, SINGLE_SENTENCES)
    first, later = _step_errors(reference, sessions, sources[few], targets[few])
    ragged = slice(0, RAGGED_BATCH)
    identical, agreement = _greedy_agreement(reference, sessions, sources)
    whole, cached = _attention_errors(reference, sessions, sources[ragged], targets[ragged])
    return ParityReport(
        encoder_max_error=_encoder_error(reference, sessions, sources[ragged]),
        first_step_max_error=first,
        later_steps_max_error=later,
        ragged_batch_max_error=_ragged_error(reference, sessions, sources[ragged], targets[ragged]),
        attention_max_error=whole,
        cached_attention_max_error=cached,
        sentences=len(sources),
        identical_sentences=identical,
        token_agreement=agreement,
    )


def check_parity(report: ParityReport) -> None:
    """Refuse graphs that differ.

    Raises:
        VerificationError: An error is over `MAX_ERROR`, or a greedy translation differs.
    """
    figures = report.model_dump()
    faults = [
        f"{name} {value:.2e} is over {MAX_ERROR:.0e}"
        for name, value in figures.items()
        if name.endswith("_error") and not value <= MAX_ERROR
    ]
    if report.identical_sentences < report.sentences:
        faults.append(
            f"{report.sentences - report.identical_sentences} of {report.sentences} greedy "
            "translations differ"
        )
    if faults:
        raise VerificationError(f"the graphs differ from the network: {'; '.join(faults)}")


def _encoder_error(reference: ReferenceNetwork, sessions: Sessions, sources: Ids) -> float:
    worst = 0.0
    for group in encode(sessions, sources):
        some = [sources[i] for i in group.indices]
        lengths = np.array([len(source) for source in some])
        is_token = (np.arange(lengths.max()) < lengths[:, None])[:, None, :, None]
        wanted = [values for pair in reference.memory(some) for values in pair]
        for have, want in zip(group.cross, wanted, strict=True):
            tokens = np.asarray(have * is_token, dtype=np.float32)
            worst = max(worst, largest_difference(tokens, want * is_token))
    return worst


def _step_errors(
    reference: ReferenceNetwork, sessions: Sessions, sources: Ids, targets: Ids
) -> tuple[float, float]:
    first = later = 0.0
    for source, target in zip(sources, targets, strict=True):
        have = forced_logits(sessions, [source], [target])[0]
        want = _logits(reference, [source], [target])[0]
        first = max(first, logit_error(have[:1], want[:1]))
        later = max(later, logit_error(have[1:], want[1:]))
    return first, later


def _ragged_error(
    reference: ReferenceNetwork, sessions: Sessions, sources: Ids, targets: Ids
) -> float:
    have = forced_logits(sessions, sources, targets)
    want = _logits(reference, sources, targets)
    return max(logit_error(h, w) for h, w in zip(have, want, strict=True))


def _logits(reference: ReferenceNetwork, sources: Ids, targets: Ids) -> list[NDArray[np.float32]]:
    logits = reference.teacher_forced(sources, targets).logits
    return [logits[i, : len(target)] for i, target in enumerate(targets)]


def _attention_errors(
    reference: ReferenceNetwork, sessions: Sessions, sources: Ids, targets: Ids
) -> tuple[float, float]:
    """Errors of the attention graph against one pass of the network, and against cached steps."""
    found = attend(sessions, sources, targets)
    errors = []
    for is_cached in (False, True):
        maps = reference.teacher_forced(sources, targets, is_cached=is_cached)
        wanted = [_expected(maps, i, len(sources[i]), t) for i, t in enumerate(targets)]
        errors.append(max(map(_attention_error, found, wanted)))
    return errors[0], errors[1]


def _attention_error(have: PairAttention, want: PairAttention) -> float:
    maps = [field.name for field in fields(PairAttention) if field.name != "log_probs"]
    errors = [largest_difference(getattr(have, name), getattr(want, name)) for name in maps]
    # Log-probabilities are as large as logits, and as exact.
    return max(*errors, logit_error(have.log_probs[:, None], want.log_probs[:, None]))


def _expected(
    maps: TeacherForced, index: int, source: int, target_ids: Sequence[int]
) -> PairAttention:
    """Maps of one pair of a padded batch, without the padding."""
    target = len(target_ids)
    logits = maps.logits[index, :target].astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    chosen = log_probs[np.arange(target), list(target_ids)].astype(np.float32)
    return PairAttention(
        encoder=maps.encoder[:, index, :, :source, :source],
        decoder=maps.decoder[:, index, :, :target, :target],
        cross=maps.cross[:, index, :, :target, :source],
        log_probs=chosen,
    )


def _greedy_agreement(
    reference: ReferenceNetwork, sessions: Sessions, sources: Ids
) -> tuple[int, float]:
    longest = sessions.bundle.manifest.max_target_tokens
    options = DecodeOptions(max_target_tokens=longest, with_scores=False)
    have = [list(h[0].target_ids) for h in decode_batch(sessions, sources, options)]
    want = reference.greedy(sources, longest)
    pairs = list(zip(have, want, strict=True))
    tokens = sum(max(len(h), len(w)) for h, w in pairs)
    same = sum(a == b for h, w in pairs for a, b in zip(h, w, strict=False))
    return sum(h == w for h, w in pairs), same / max(tokens, 1)
