"""What one step of a search leads to: more steps, a result, or a second attempt without loops."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.engine.search.options import DecodeOptions, Hypothesis
from service.engine.search.repetition import CHECK_EVERY, RETRY_NGRAM, repeated_tail

Hypotheses = tuple[Hypothesis, ...]
"""The result of a search, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivors:
    """The hypotheses that take another step, in their order from now on."""

    parents: list[int]
    """Index of the live hypothesis that each of them extends."""
    tokens: list[int]
    """The token that each of them appends: the decoder's next input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The output loops: the sentence is decoded again from its first token."""

    options: DecodeOptions
    """Options of the second attempt: no n-gram may occur twice."""


def may_end(length: int, options: DecodeOptions) -> bool:
    """Whether an output may have `length` tokens, the end token included."""
    return length > options.min_target_tokens or length <= len(options.prefix_ids)


def is_loop(target_ids: Sequence[int], options: DecodeOptions) -> bool:
    """Whether an output ends in a longer repetition than its source explains."""
    longest, length = options.max_loop_tokens, len(target_ids)
    if longest is None or length <= longest or length % CHECK_EVERY:
        return False
    return repeated_tail(target_ids) > longest


def restart_without_loops(options: DecodeOptions) -> Restart:
    """A second attempt that cannot loop, and is not checked for it."""
    size = options.no_repeat_ngram or RETRY_NGRAM
    return Restart(options=replace(options, no_repeat_ngram=size, max_loop_tokens=None))
