"""How much two texts have in common, by the edits between them."""


def similarity(first: str, second: str) -> float:
    """From 0 to 1: the part of the longer text that no edit touches.

    An edit inserts, deletes or replaces a character (Levenshtein).
    """
    longest = max(len(first), len(second))
    return 1.0 - edit_distance(first, second) / longest if longest else 1.0


def edit_distance(first: str, second: str) -> int:
    """The least number of edits that turn one text into the other.

    The columns of the table of distances are bit vectors, here whole numbers of any length:
    Hyyro (2003), "A bit-vector algorithm for computing Levenshtein and Damerau edit distances".
    """
    if not first or not second:
        return len(first) or len(second)
    occurrences: dict[str, int] = {}
    for index, character in enumerate(first):
        occurrences[character] = occurrences.get(character, 0) | 1 << index
    every, last = (1 << len(first)) - 1, 1 << len(first) - 1
    # Where a cell is one more, or one less, than the cell above it.
    more, less, distance = every, 0, len(first)
    for character in second:
        equal = occurrences.get(character, 0)
        same = (((equal & more) + more) ^ more) | equal | less
        from_left = less | ~(same | more) & every
        to_right = more & same
        distance += bool(from_left & last) - bool(to_right & last)
        from_left = (from_left << 1 | 1) & every
        to_right = to_right << 1 & every
        more, less = to_right | ~(same | from_left) & every, from_left & same
    return distance
