"""Proves that the fp32 graphs compute what the program of an imported checkpoint computes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bundle.parity import OriginalParity
from export.errors import VerificationError
from export.verification.forced_decoding import MASKED_LOGIT, forced_logits, logit_error
from export.verification.original_program import GreedyTranslation, Ids, OriginalProgram
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions, Hypothesis

MAX_LOGIT_ERROR = 1e-4
"""Limit of `logit_error`."""
MAX_SCORE_ERROR = 1e-4
"""Limit relative to the score, or to 1 where that is larger: four digits."""
BEAM_SIZE = 4
MAX_SENTENCES = 100
"""An original may be slow, and wrong arrays change every sentence."""
MAX_TOKENS = 128
"""Longest compared translation: an original keeps the logits of every token."""
_TOGETHER = 4


@dataclass(slots=True)
class _Findings:
    """Figures of the sentences compared so far."""

    max_logit_error: float = 0.0
    max_score_error: float = 0.0
    identical_sentences: int = 0
    beams: int = 0
    identical_beams: int = 0


def measure_original(original: OriginalProgram, sessions: Sessions, sources: Ids) -> OriginalParity:
    """Translate with both, greedily and with a beam.

    Args:
        original: The program.
        sessions: Of the fp32 graphs.
        sources: Source ids, complete.
    """
    sources = sources[:MAX_SENTENCES]
    found = _Findings()
    starts = range(0, len(sources), _TOGETHER)
    for start in tqdm(starts, desc=original.implementation, unit="batch", disable=None):
        some = sources[start : start + _TOGETHER]
        _compare_greedy(original, sessions, some, found)
        _compare_beams(original, sessions, some, found)
    return OriginalParity(
        implementation=original.implementation,
        sentences=len(sources),
        max_logit_error=found.max_logit_error,
        identical_sentences=found.identical_sentences,
        beam_size=BEAM_SIZE,
        beams=found.beams,
        identical_beams=found.identical_beams,
        max_score_error=found.max_score_error,
    )


def check_original(report: OriginalParity) -> None:
    """Refuse graphs that differ.

    Raises:
        VerificationError: Logits or scores are too far apart, or a translation differs.
    """
    faults = [
        f"{name} {value:.2e} is over {limit:.0e}"
        for name, value, limit in (
            ("max_logit_error", report.max_logit_error, MAX_LOGIT_ERROR),
            ("max_score_error", report.max_score_error, MAX_SCORE_ERROR),
        )
        if not value <= limit
    ]
    faults += [
        f"{count - same} of {count} {what} differ"
        for what, same, count in (
            ("greedy translations", report.identical_sentences, report.sentences),
            (f"best of {report.beam_size} hypotheses", report.identical_beams, report.beams),
        )
        if same < count
    ]
    if faults:
        what = "; ".join(faults)
        raise VerificationError(f"the graphs differ from {report.implementation}: {what}")


def _compare_greedy(
    original: OriginalProgram, sessions: Sessions, sources: Ids, found: _Findings
) -> None:
    longest = _longest(sessions)
    wanted = original.greedy(sources, longest)
    had = forced_logits(sessions, sources, [w.target_ids for w in wanted])
    for have, want in zip(had, wanted, strict=True):
        error = _logit_error(have, want)
        found.max_logit_error = max(found.max_logit_error, error)
    for hypothesis, want in zip(_decode(sessions, sources, 1), wanted, strict=True):
        found.identical_sentences += _ids(hypothesis, sessions) == want.target_ids


def _compare_beams(
    original: OriginalProgram, sessions: Sessions, sources: Ids, found: _Findings
) -> None:
    wanted = original.beam(sources, BEAM_SIZE, _longest(sessions))
    for have, want in zip(_decode(sessions, sources, BEAM_SIZE), wanted, strict=True):
        if want.target_ids[-1:] != (sessions.bundle.manifest.special_ids.eos,):
            continue  # programs score a hypothesis that was cut off in different ways
        found.beams += 1
        error = abs(have.score - want.log_prob) / max(1.0, abs(want.log_prob))
        found.max_score_error = max(found.max_score_error, error)
        found.identical_beams += _ids(have, sessions) == want.target_ids


def _logit_error(have: NDArray[np.float32], want: GreedyTranslation) -> float:
    is_possible = (have > MASKED_LOGIT) & (want.logits > MASKED_LOGIT)
    return logit_error(np.where(is_possible, have, 0), np.where(is_possible, want.logits, 0))


def _decode(sessions: Sessions, sources: Ids, beam_size: int) -> list[Hypothesis]:
    options = DecodeOptions(
        beam_size=beam_size, length_penalty=0.0, max_target_tokens=_longest(sessions)
    )
    return [hypotheses[0] for hypotheses in decode_batch(sessions, sources, options)]


def _ids(hypothesis: Hypothesis, sessions: Sessions) -> Sequence[int]:
    end = (sessions.bundle.manifest.special_ids.eos,) if hypothesis.has_ended else ()
    return (*hypothesis.target_ids, *end)


def _longest(sessions: Sessions) -> int:
    return min(MAX_TOKENS, sessions.bundle.manifest.max_target_tokens)
