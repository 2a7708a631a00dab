"""Two versions of a text side by side: which of their tokens are the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

    What both begin with stands together, then what both end with; between them a longest common
    subsequence, and tokens in their order where nothing is common. Takes a bit for each pair of
    tokens between what is common at both ends (`num_pairs`).
    """
    shared, ending = _ends(first, second)
    steps = [Step(first=i, second=i, is_same=True) for i in range(shared)]
    steps += _middle(first[: len(first) - ending], second[: len(second) - ending], shared)
    lengths = len(first), len(second)
    steps += [
        Step(first=lengths[0] - back, second=lengths[1] - back, is_same=True)
        for back in range(ending, 0, -1)
    ]
    return tuple(steps)


def num_pairs(first: Sequence[str], second: Sequence[str]) -> int:
    """Pairs of tokens between what is common at both ends: what `side_by_side` costs."""
    common = sum(_ends(first, second))
    return (len(first) - common) * (len(second) - common)


def _ends(first: Sequence[str], second: Sequence[str]) -> tuple[int, int]:
    """Tokens that both begin with, and further ones that both end with."""
    shared = num_shared(first, second)
    rest = min(len(first), len(second)) - shared
    return shared, min(rest, num_shared(first[::-1], second[::-1]))


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
    """Behind `begin`: a longest common subsequence, and what stands between its tokens."""
    i = j = begin
    for same_i, same_j in [*_common(first, second, begin), (len(first), len(second))]:
        for one, other in zip_longest(range(i, same_i), range(j, same_j)):
            yield Step(first=one, second=other, is_same=False)
        if same_i < len(first):
            yield Step(first=same_i, second=same_j, is_same=True)
        i, j = same_i + 1, same_j + 1


def _common(first: Sequence[str], second: Sequence[str], begin: int) -> list[tuple[int, int]]:
    """Indices of a longest common subsequence behind `begin`."""
    own, other = first[begin:], second[begin:]
    rows = _rows(own, other)
    i, j = len(own), len(other)
    found: list[tuple[int, int]] = []
    while i and j:
        if rows[i] >> (j - 1) & 1:
            j -= 1
        elif not rows[i - 1] >> (j - 1) & 1:
            i -= 1
        else:
            i, j = i - 1, j - 1
            found.append((begin + i, begin + j))
    return found[::-1]


def _rows(own: Sequence[str], other: Sequence[str]) -> list[int]:
    """The table of common lengths, a number for each beginning of `own`, the empty one first.

    Bit `j` is 0 where the beginning of `other` with token `j` has more in common than without it:
    the rows of Hyyro (2004), "Bit-parallel LCS-length computation revisited".
    """
    places: dict[str, int] = {}
    for place, token in enumerate(other):
        places[token] = places.get(token, 0) | 1 << place
    every = (1 << len(other)) - 1
    row = every
    rows = [row]
    for token in own:
        matched = row & places.get(token, 0)
        row = ((row + matched) | (row - matched)) & every
        rows.append(row)
    return rows
