"""Restores no-break spaces, which models take for ordinary ones."""

from collections.abc import Sequence

from service.text.alignment.units import anchor_units, targets_by_source, text_units
from service.text.alignment.word_links import WordLink

NO_BREAK_SPACES = frozenset("\xa0\u202f\u2007")


def keep_no_break_spaces(source_text: str, target_text: str, links: Sequence[WordLink]) -> str:
    """`target_text`, of the same length, with no-break spaces beside the same words.

    A no-break space is dropped where its words are lost, or where the translation has no space.
    """
    if not any(space in source_text for space in NO_BREAK_SPACES):
        return target_text
    source = text_units(source_text, (edge for link in links for edge in link.source))
    target = text_units(target_text, (edge for link in links for edge in link.target))
    units_of = targets_by_source(anchor_units(source, target, links), len(source))
    characters = list(target_text)
    for index, unit in enumerate(source):
        space = source_text[unit.end : unit.end + 1]
        if space not in NO_BREAK_SPACES:
            continue
        behind = [target[found].end for found in units_of[index][-1:]]
        following = units_of[index + 1][:1] if index + 1 < len(source) else []
        before = [target[found].start - 1 for found in following]
        for place in (*behind, *before):
            if 0 <= place < len(characters) and characters[place] == " ":
                characters[place] = space
                break
    return "".join(characters)
