"""Step replay: a search as its candidates of every step, in pieces; knows no HTTP, no JSON."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bundle.reader import Bundle
from service.engine.search.options import DecodeOptions, Hypothesis
from service.engine.search.trace import NUM_TRACED, Candidate, Fate, SearchTrace, StopReason
from service.errors import PayloadTooLargeError

NUMBERS_PER_CANDIDATE = 16
"""Numbers of a map that take as much of a reply as a candidate, 150 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedCandidate:
    """A prefix of a step, extended by one token."""

    prefix: int
    """Place of the prefix among those of the step."""
    token: str
    """The piece; `</s>` is the end."""
    probability: float
    """Given source and prefix, 0 to 1."""
    log_prob: float
    """Of the prefix and the token together, nats."""
    fate: Fate
    place: int | None
    """Its place among the prefixes of the next step, if it was kept."""
    score: float | None
    """What finished hypotheses are ranked by, if it ended; nats, normalised by length."""
    is_result: bool
    """Whether it is part of the translation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReplay:
    """The search of one sentence."""

    beam_size: int
    length_penalty: float
    stop: StopReason
    steps: tuple[tuple[ReplayedCandidate, ...], ...]
    """The best candidates of every step, best first."""


def check_replay(max_steps: Sequence[int], beam_size: int, max_numbers: int) -> None:
    """Rejects a reply that could be too large.

    Args:
        max_steps: Most steps of each sentence.
        beam_size: Of all of them.
        max_numbers: Most numbers that a reply may have.

    Raises:
        PayloadTooLargeError: Names the numbers and what to do.
    """
    num_candidates = max(NUM_TRACED, 2 * beam_size)
    numbers = sum(max_steps) * num_candidates * NUMBERS_PER_CANDIDATE
    if numbers > max_numbers:
        raise PayloadTooLargeError(
            f"the searches of {len(max_steps)} sentences may take the room of {numbers:,} numbers; "
            f"the limit is {max_numbers:,}: send fewer or shorter texts, or a smaller "
            "max_target_tokens"
        )


def replay_of(
    hypothesis: Hypothesis, options: DecodeOptions, bundle: Bundle
) -> SearchReplay | None:
    """The search that found a hypothesis; None if it has no trace.

    Args:
        hypothesis: The best one.
        options: Of the search.
        bundle: Of the model.
    """
    trace = hypothesis.trace
    if trace is None:
        return None
    pieces = _pieces(trace, bundle)
    eos_id = bundle.manifest.special_ids.eos
    chosen = list(_chosen(trace, hypothesis, eos_id))
    return SearchReplay(
        beam_size=options.beam_size,
        length_penalty=options.length_penalty,
        stop=trace.stop,
        steps=tuple(
            tuple(_replayed(c, pieces, is_result=c is result) for c in step)
            for step, result in zip(trace.steps, chosen, strict=True)
        ),
    )


def _pieces(trace: SearchTrace, bundle: Bundle) -> dict[int, str]:
    ids = sorted({candidate.token for step in trace.steps for candidate in step})
    return dict(zip(ids, bundle.tokenizer.target_pieces(ids), strict=True))


def _chosen(trace: SearchTrace, hypothesis: Hypothesis, eos_id: int) -> Iterator[Candidate | None]:
    """The candidate of the hypothesis in every step; None beyond its end."""
    ids = [*hypothesis.target_ids, *([eos_id] if hypothesis.has_ended else [])]
    place: int | None = 0
    for number, step in enumerate(trace.steps):
        token = ids[number] if number < len(ids) else None
        found = [c for c in step if (c.prefix, c.token) == (place, token)]
        yield found[0] if found else None
        place = found[0].place if found else None


def _replayed(
    candidate: Candidate, pieces: dict[int, str], *, is_result: bool
) -> ReplayedCandidate:
    return ReplayedCandidate(
        prefix=candidate.prefix,
        token=pieces[candidate.token],
        probability=math.exp(candidate.token_log_prob),
        log_prob=candidate.log_prob,
        fate=candidate.fate,
        place=candidate.place,
        score=candidate.score,
        is_result=is_result,
    )
