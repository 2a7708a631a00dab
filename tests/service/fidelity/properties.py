"""Properties that a translation shares with its source whatever it says: pure checks."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from tests.service.fidelity.markup_reader import (
    block_tags,
    is_well_nested,
    parents,
    tags,
    tags_as_written,
    without_tags,
)

Fault = str
"""What is wrong; empty if nothing is."""
PropertyName = Literal[
    "verbatim",
    "copied",
    "outer space",
    "inner space",
    "lines",
    "line starts",
    "unchanged",
    "not empty",
    "no artefacts",
    "capitals",
    "title case",
    "tags",
    "tags as written",
    "nesting",
    "blocks",
    "term",
    "proportion",
    "no loop",
    "mentions",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One thing that must be as it was."""

    name: PropertyName
    fault: Callable[[str, str], Fault]
    """Of a source and its translation."""
    rests_on_model: bool = False
    """Only a model that can translate keeps it; the others hold with any weights."""


_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_LINE_START = re.compile(
    r"[ \t\xa0\u3000]*+(?:(?:[-*+>•–◦☐☑✓]|#{1,6}|\[[ xX]\]|\d{1,3}[.)]|[a-z]\))[ \t]++)*+"
)
# What the model's vocabulary shows when it leaks, and what a decoder makes of what it cannot read.
_ARTEFACT = re.compile(
    r"⁇|▁|<unk>|</?s>|<pad>|\ufffd|⟦\d*⟧?|\d*⟧|<0x[0-9A-F]{2}>|&amp;(?:\w+|#\d+);"
)
_LONGEST_PHRASE = 6
_MOST_REPEATS = 4
_FEWEST_LETTERS = 20
_SHORTEST, _LONGEST = 0.4, 2.5
_MOSTLY = 0.9
_MORE_OFTEN_THAN_NOT = 0.6
_SHOWN = 40


def faults(properties: tuple[Property, ...], source: str, target: str) -> dict[str, Fault]:
    """What is wrong, by property; several of one name count as one."""
    found = ((each.name, each.fault(source, target)) for each in properties)
    return {name: fault for name, fault in found if fault}


def verbatim(*pieces: str) -> Property:
    """Each piece occurs as often as in the source, letter by letter."""
    return Property(name="verbatim", fault=partial(_verbatim, pieces))


def inner_space(*pieces: str) -> Property:
    """White space within a line, or at its ends, as often as in the source."""
    return Property(name="inner space", fault=partial(_verbatim, pieces))


def copied(*pieces: str) -> Property:
    """As `verbatim`, of what no rule can tell from words: the model itself has to copy it."""
    return Property(name="copied", fault=partial(_verbatim, pieces), rests_on_model=True)


def term(*wanted: str) -> Property:
    """Each term is in the translation: a glossary asked for it."""
    return Property(name="term", fault=partial(_contains, wanted))


def mentions(*names: str) -> Property:
    """Each name is in the translation: no sentence has been dropped."""
    return Property(name="mentions", fault=partial(_contains, names), rests_on_model=True)


def _verbatim(pieces: tuple[str, ...], source: str, target: str) -> Fault:
    for piece in pieces:
        before, after = source.count(piece), target.count(piece)
        if before != after:
            return f"{_shown(piece)} occurs {after} times, not {before}"
    return ""


def _contains(wanted: tuple[str, ...], source: str, target: str) -> Fault:
    del source
    folded = target.casefold()
    missing = [each for each in wanted if each.casefold() not in folded]
    return f"{', '.join(missing)} is missing" if missing else ""


def _outer_space(source: str, target: str) -> Fault:
    ends = ((text[: _leading(text)], text[len(text.rstrip()) :]) for text in (source, target))
    before, after = ends
    return "" if before == after else f"{_shown(after)} around it, not {_shown(before)}"


def _leading(text: str) -> int:
    return len(text) - len(text.lstrip())


def _lines(source: str, target: str) -> Fault:
    before, after = _BREAK.findall(source), _BREAK.findall(target)
    if before != after:
        return f"{len(after)} line breaks, not {len(before)}, or of another kind"
    blank = [[not line.strip() for line in _BREAK.split(text)] for text in (source, target)]
    return "" if blank[0] == blank[1] else "other lines are blank"


def _line_starts(source: str, target: str) -> Fault:
    starts = [
        [_line_start(line) for line in _BREAK.split(text) if line.strip()]
        for text in (source, target)
    ]
    return "" if starts[0] == starts[1] else f"{_shown(starts[1])}, not {_shown(starts[0])}"


def _line_start(line: str) -> str:
    match = _LINE_START.match(line)
    assert match, "the pattern matches nothing as well"
    return match.group()


def _unchanged(source: str, target: str) -> Fault:
    return "" if source == target else f"became {_shown(target)}"


def _not_empty(source: str, target: str) -> Fault:
    is_lost = bool(source.strip()) and not target.strip()
    return "nothing is left" if is_lost else ""


def _no_artefacts(source: str, target: str) -> Fault:
    more = Counter(_ARTEFACT.findall(target)) - Counter(_ARTEFACT.findall(source))
    return f"{_shown(sorted(more))} was not there" if more else ""


def _capitals(source: str, target: str) -> Fault:
    del source
    letters = [x for x in without_tags(target) if x.isalpha()]
    share = sum(x.isupper() for x in letters) / max(len(letters), 1)
    return "" if share >= _MOSTLY else f"{share:.0%} of the letters are capitals"


def _title_case(source: str, target: str) -> Fault:
    del source
    initials = [word[0] for word in target.split() if word[0].isalpha()]
    share = sum(x.isupper() for x in initials) / max(len(initials), 1)
    return "" if share >= _MORE_OFTEN_THAN_NOT else f"{share:.0%} of the words have a capital"


def _tags(read: Callable[[str], list[str]], source: str, target: str) -> Fault:
    before, after = Counter(read(source)), Counter(read(target))
    if before == after:
        return ""
    return f"lost {_shown([*(before - after)])}, gained {_shown([*(after - before)])}"


def _nesting(source: str, target: str) -> Fault:
    """Holds for a source that is well-formed; of any other nothing is asked."""
    if not is_well_nested(source):
        return ""
    if not is_well_nested(target):
        return "no longer well-formed"
    return "" if parents(source) == parents(target) else "elements have other parents"


def _blocks(source: str, target: str) -> Fault:
    return "" if block_tags(source) == block_tags(target) else "blocks stand in another order"


def _proportion(source: str, target: str) -> Fault:
    before, after = (sum(map(str.isalpha, without_tags(x))) for x in (source, target))
    if before < _FEWEST_LETTERS or _SHORTEST <= after / before <= _LONGEST:
        return ""
    return f"{after} letters for {before}"


def _no_loop(source: str, target: str) -> Fault:
    repeats = _most_repeats(without_tags(target))
    is_loop = repeats > max(_MOST_REPEATS, 2 * _most_repeats(without_tags(source)))
    return f"a phrase stands {repeats} times in a row" if is_loop else ""


def _most_repeats(text: str) -> int:
    """How often in a row some phrase of at most six words stands in `text`."""
    words = text.split()
    most = 1
    for length in range(1, _LONGEST_PHRASE + 1):
        run = 0
        for before, after in zip(words, words[length:], strict=False):
            run = run + 1 if before == after else 0
            most = max(most, run // length + 1)
    return most


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


OUTER_SPACE = Property(name="outer space", fault=_outer_space)
LINES = Property(name="lines", fault=_lines)
LINE_STARTS = Property(name="line starts", fault=_line_starts)
UNCHANGED = Property(name="unchanged", fault=_unchanged)
NOT_EMPTY = Property(name="not empty", fault=_not_empty)
NO_ARTEFACTS = Property(name="no artefacts", fault=_no_artefacts)
CAPITALS = Property(name="capitals", fault=_capitals)
TITLE_CASE = Property(name="title case", fault=_title_case)
TAGS = Property(name="tags", fault=partial(_tags, tags))
TAGS_AS_WRITTEN = Property(name="tags as written", fault=partial(_tags, tags_as_written))
NESTING = Property(name="nesting", fault=_nesting)
BLOCKS = Property(name="blocks", fault=_blocks)
PROPORTION = Property(name="proportion", fault=_proportion, rests_on_model=True)
NO_LOOP = Property(name="no loop", fault=_no_loop, rests_on_model=True)
