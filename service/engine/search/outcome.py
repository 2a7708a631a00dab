"""What a step of a search leads to: more steps, a result, or a second attempt without loops."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.engine.search.options import DecodeOptions, Hypothesis
from service.engine.search.repetition import CHECK_EVERY, RETRY_NGRAM, repeated_tail

Hypotheses = tuple[Hypothesis, ...]
"""The result of a search, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStep:
    """What became of the sentences of a search in one step, by index; all others go on."""

    finished: dict[int, Hypotheses] = field(default_factory=dict)
    """Results; their sentences are still to be removed."""
    restarted: list[int] = field(default_factory=list)
    """Sentences whose output looped: they are decoded again from their first token."""


def may_end(length: int, options: DecodeOptions) -> bool:
    """Whether an output may have `length` tokens, the end token included."""
    return length > options.min_target_tokens or length <= len(options.prefix_ids)


def next_check(length: int, options: DecodeOptions) -> int:
    """The next length after `length` at which an output may be too long, or loop."""
    limit, longest = options.max_target_tokens, options.max_loop_tokens
    if longest is None:
        return limit
    return min(limit, (max(length, longest) // CHECK_EVERY + 1) * CHECK_EVERY)


def is_loop(target_ids: Sequence[int], options: DecodeOptions) -> bool:
    """Whether an output ends in a longer repetition than its source explains."""
    longest, length = options.max_loop_tokens, len(target_ids)
    if longest is None or length <= longest or length % CHECK_EVERY:
        return False
    return repeated_tail(target_ids) > longest


def options_without_loops(options: DecodeOptions) -> DecodeOptions:
    """Options of a second attempt: it cannot loop, and is not checked for it."""
    size = options.no_repeat_ngram or RETRY_NGRAM
    return replace(options, no_repeat_ngram=size, max_loop_tokens=None)
