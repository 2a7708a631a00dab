"""Finds the two halves of inline elements."""

from collections.abc import Sequence

from service.text.markup_token import MarkupToken


def pair_tags(tags: Sequence[MarkupToken]) -> list[int | None]:
    """For each tag, the index of its other half; None: single, or without one.

    Pairs are nested: of two that cross, the one that ends first is a pair, and the halves of the
    other are on their own.
    """
    partners: list[int | None] = [None] * len(tags)
    stack: list[int] = []
    num_open: dict[str, int] = {}
    for index, tag in enumerate(tags):
        if tag.kind == "open":
            stack.append(index)
            num_open[tag.name] = num_open.get(tag.name, 0) + 1
        elif tag.kind == "close" and num_open.get(tag.name):
            while tags[stack[-1]].name != tag.name:
                num_open[tags[stack.pop()].name] -= 1
            start = stack.pop()
            num_open[tag.name] -= 1
            partners[start], partners[index] = index, start
    return partners
