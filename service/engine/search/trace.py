"""Traces: what a search had to choose from at every step, what became of it, and why it stopped.

A trace is kept only for sentences that ask for one. It changes no choice of the search.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

NUM_TRACED = 8
"""Candidates of a step that are traced; a beam of more than half as many traces all it ranks."""

Fate = Literal["kept", "ended", "pruned", "dropped", "forbidden"]
"""What became of a candidate.

- `kept`: a prefix of the next step.
- `ended`: the end token, within the beam: a finished hypothesis.
- `pruned`: within the beam, but unable to overtake what has finished.
- `dropped`: not among the best.
- `forbidden`: not allowed here by a rule, the shortest length or the shortlist.
"""
StopReason = Literal["end", "overtaken", "length", "no_token"]
"""Why a search stopped: its one hypothesis ended; no prefix could overtake a finished hypothesis
any more; the longest output was reached; or rules left no token."""


class Candidate(NamedTuple):
    """A prefix of a step, extended by one token."""

    prefix: int
    """Place of the prefix among those of the step."""
    token: int
    token_log_prob: float
    """Given source and prefix, nats."""
    log_prob: float
    """Of the prefix and the token together, nats."""
    fate: Fate
    place: int | None
    """Where it stands among the prefixes of the next step, if it was kept."""
    score: float | None
    """What finished hypotheses are ranked by, if it ended; nats, normalised by length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTrace:
    """The search of one sentence; of two attempts the second."""

    steps: tuple[tuple[Candidate, ...], ...]
    """The best candidates of every step, best first."""
    stop: StopReason


class Ranked(NamedTuple):
    """The best candidates of one step of a sentence, best first; every array is [count]."""

    parents: NDArray[np.int64]
    tokens: NDArray[np.int64]
    token_log_probs: NDArray[np.float32]
    log_probs: NDArray[np.float64]

    def first(self, count: int) -> "Ranked":
        """The `count` best."""
        return Ranked(
            self.parents[:count],
            self.tokens[:count],
            self.token_log_probs[:count],
            self.log_probs[:count],
        )


def beam_step(
    ranked: Ranked, scores: dict[int, float], *, eos_id: int, beam_size: int, num_live: int
) -> tuple[Candidate, ...]:
    """The candidates of a step of beam search.

    Args:
        ranked: At least all that the search ranked itself, but for masked ones.
        scores: By rank, of those that were finished.
        eos_id: The end token.
        beam_size: Prefixes that may stay.
        num_live: Prefixes that do stay.
    """
    found: list[Candidate] = []
    place = 0
    rows = zip(*(values.tolist() for values in ranked), strict=True)
    for rank, (parent, token, token_log_prob, log_prob) in enumerate(rows):
        is_end = token == eos_id
        fate: Fate = "dropped"
        if is_end and rank < beam_size:
            fate = "ended" if rank in scores else "forbidden"
        elif not is_end and place < beam_size:
            fate = "kept" if place < num_live else "pruned"
        found.append(
            Candidate(
                prefix=parent,
                token=token,
                token_log_prob=token_log_prob,
                log_prob=log_prob,
                fate=fate,
                place=place if fate == "kept" else None,
                score=scores.get(rank),
            )
        )
        place += not is_end
    return tuple(found)


def greedy_step(
    tokens: list[int],
    log_probs: list[float],
    chosen: tuple[int, float],
    before: float,
    *,
    score: float | None,
) -> tuple[Candidate, ...]:
    """The candidates of a step of greedy search.

    Args:
        tokens: The best of the whole vocabulary, best first.
        log_probs: Theirs, nats.
        chosen: The token that was taken, and its log-probability.
        before: Log-probability of the prefix, nats.
        score: Of the finished hypothesis, if this is the end.
    """
    rows = list(zip(tokens, log_probs, strict=True))
    if chosen[0] not in tokens:
        rows.append(chosen)
    found: list[Candidate] = []
    taken: Fate = "kept" if score is None else "ended"
    fate: Fate = "forbidden"  # until the chosen one: better, and yet not taken
    for token, log_prob in rows:
        is_chosen = token == chosen[0]
        fate = "dropped" if found and found[-1].fate == taken else fate
        found.append(
            Candidate(
                prefix=0,
                token=token,
                token_log_prob=log_prob,
                log_prob=before + log_prob,
                fate=taken if is_chosen else fate,
                place=0 if is_chosen and score is None else None,
                score=score if is_chosen else None,
            )
        )
    return tuple(found)
