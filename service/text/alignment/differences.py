"""Two versions of a text side by side: which of their tokens are the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Tokens that stand beside each other; one of them may be missing."""

    first: int | None
    """Index in the first version; None: only the second has a token here."""
    second: int | None
    """Index in the second version; None: only the first has a token here."""
    is_same: bool


def side_by_side(first: Sequence[str], second: Sequence[str]) -> tuple[Step, ...]:
    """Every token of both versions, each once and in order.

    What both begin with stands together, then what both end with; between them the longest common
    runs, and tokens in their order where nothing is common.
    """
    shared = num_shared(first, second)
    rest = min(len(first), len(second)) - shared
    ending = min(rest, num_shared(first[::-1], second[::-1]))
    steps = [Step(first=i, second=i, is_same=True) for i in range(shared)]
    steps += _middle(first[: len(first) - ending], second[: len(second) - ending], shared)
    lengths = len(first), len(second)
    steps += [
        Step(first=lengths[0] - back, second=lengths[1] - back, is_same=True)
        for back in range(ending, 0, -1)
    ]
    return tuple(steps)


def from_first_difference(first: Sequence[str], second: Sequence[str]) -> tuple[Step, ...]:
    """Like `side_by_side`, but the first tokens that differ always stand beside each other.

    They are alternatives to each other: up to them both versions are the same.
    """
    begin = num_shared(first, second)
    if begin == min(len(first), len(second)):
        return side_by_side(first, second)
    shared = [Step(first=i, second=i, is_same=True) for i in range(begin)]
    choice = Step(first=begin, second=begin, is_same=False)
    rest = side_by_side(first[begin + 1 :], second[begin + 1 :])
    return (*shared, choice, *(_moved(step, begin + 1) for step in rest))


def _moved(step: Step, by: int) -> Step:
    return Step(
        first=None if step.first is None else step.first + by,
        second=None if step.second is None else step.second + by,
        is_same=step.is_same,
    )


def num_shared(first: Sequence[str], second: Sequence[str]) -> int:
    """Tokens that two sequences begin with alike."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _middle(first: Sequence[str], second: Sequence[str], begin: int) -> Iterator[Step]:
    matcher = SequenceMatcher(None, first[begin:], second[begin:], autojunk=False)
    for name, first_from, first_to, second_from, second_to in matcher.get_opcodes():
        own = range(begin + first_from, begin + first_to)
        other = range(begin + second_from, begin + second_to)
        for i, j in zip_longest(own, other):
            yield Step(first=i, second=j, is_same=name == "equal")
