"""Words linked across a third language: what became of what a word became."""

from collections.abc import Sequence

from service.text.word_link import WordLink


def chained(first: Sequence[WordLink], second: Sequence[WordLink]) -> tuple[WordLink, ...]:
    """Links from the sources of `first` to the targets of `second`.

    Two links make one where they share a character of the text between, with the product of their
    weights; of several ways from word to word the heaviest counts.

    Args:
        first: From a text to its translation.
        second: From that translation to one of its own.
    """
    by_character: dict[int, list[WordLink]] = {}
    for link in second:
        for at in range(*link.source):
            by_character.setdefault(at, []).append(link)
    weights: dict[tuple[tuple[int, int], tuple[int, int]], float] = {}
    for link in first:
        for at in range(*link.target):
            for onward in by_character.get(at, ()):
                ends = (onward.target, link.source)
                weights[ends] = max(weights.get(ends, 0.0), link.weight * onward.weight)
    return tuple(
        WordLink(source=source, target=target, weight=round(weight, 4))
        for (target, source), weight in sorted(weights.items())
    )
