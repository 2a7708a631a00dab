"""The inline elements of a passage, and what they contain."""

from collections.abc import Sequence

from service.text.passage import Tag

ROOT = -1
"""The passage itself."""


def parent_elements(tags: Sequence[Tag]) -> list[int]:
    """For each tag, the index of the opening tag of the element around it, or `ROOT`.

    Both tags of an element have the same one. Tags without a partner contain nothing.
    """
    parents: list[int] = []
    stack = [ROOT]
    for index, tag in enumerate(tags):
        if tag.partner is not None and tag.partner < index:
            stack.pop()
        parents.append(stack[-1])
        if opens_element(tags, index):
            stack.append(index)
    return parents


def element_depths(parents: Sequence[int]) -> list[int]:
    """How many elements are around each tag."""
    depths: list[int] = []
    for parent in parents:
        depths.append(0 if parent == ROOT else depths[parent] + 1)
    return depths


def innermost_elements(tags: Sequence[Tag], places: Sequence[float]) -> list[int]:
    """The innermost element around each place in the text, or `ROOT`; `places` ascend."""
    innermost: list[int] = []
    stack = [ROOT]
    index = 0
    for place in places:
        while index < len(tags) and tags[index].position <= place:
            partner = tags[index].partner
            if partner is not None and partner < index:
                stack.pop()
            elif partner is not None:
                stack.append(index)
            index += 1
        innermost.append(stack[-1])
    return innermost


def opens_element(tags: Sequence[Tag], index: int) -> bool:
    """Whether this tag has its other half behind it."""
    partner = tags[index].partner
    return partner is not None and partner > index
