"""Alignments in Pharaoh's form, between tokens that white space separates, and their error rate."""

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass

from service.inspection.values import InspectedPair

Link = tuple[int, int]
"""Numbers of a source and a target token, from 0."""
_TOKEN = re.compile(r"\S+")
_GOLD = re.compile(r"(\d+)([-?p])(\d+)")


class GoldError(ValueError):
    """A line of gold alignments that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldLinks:
    """What annotators linked in one pair."""

    sure: frozenset[Link]
    possible: frozenset[Link]
    """All that are not wrong, the sure ones included."""


def links_of(pair: InspectedPair) -> set[Link]:
    """Links of all sentences of a text, between the tokens that white space separates."""
    sources, targets = _numbers(pair.source), _numbers(pair.translation)
    found: set[Link] = set()
    for sentence in pair.sentences:
        before, behind = sentence.source_span[0], sentence.target_span[0]
        found |= {
            (sources[before + link.source[0]], targets[behind + link.target[0]])
            for link in sentence.links
        }
    return found


def pharaoh_line(links: Iterable[Link]) -> str:
    """`0-0 1-2`, sorted by target token as aligners print them."""
    return " ".join(f"{i}-{j}" for i, j in sorted(links, key=lambda link: (link[1], link[0])))


def gold_links(line: str) -> GoldLinks:
    """Links of a line such as `0-0 1?2`: sure with `-`, only possible with `?` or `p`.

    Raises:
        GoldError: A link is none.
    """
    matches = [(text, _GOLD.fullmatch(text)) for text in line.split()]
    wrong = [text for text, match in matches if match is None]
    if wrong:
        raise GoldError(f"{wrong[0]!r} is no link: write 0-0, or 0?0 for a possible one")
    found = [(match[2], (int(match[1]), int(match[3]))) for _, match in matches if match]
    return GoldLinks(
        sure=frozenset(link for sign, link in found if sign == "-"),
        possible=frozenset(link for _, link in found),
    )


def links_beyond(gold: GoldLinks, pair: InspectedPair) -> list[Link]:
    """Gold links of tokens that the texts do not have, as in a file that counts from 1; sorted."""
    num_sources, num_targets = _num_tokens(pair.source), _num_tokens(pair.translation)
    return sorted(
        (source, target)
        for source, target in gold.possible
        if source >= num_sources or target >= num_targets
    )


def alignment_error_rate(pairs: Iterable[tuple[Set[Link], GoldLinks]]) -> float:
    """Error of alignments against gold ones, from 0, the best, to 1.

    `1 - (|A & S| + |A & P|) / (|A| + |S|)` over all pairs (Och and Ney 2003, "A Systematic
    Comparison of Various Statistical Alignment Models", section 5.2).
    """
    hits = total = 0
    for found, gold in pairs:
        hits += len(found & gold.sure) + len(found & gold.possible)
        total += len(found) + len(gold.sure)
    return 1 - hits / total if total else 0.0


def _num_tokens(text: str) -> int:
    return len(_TOKEN.findall(text))


def _numbers(text: str) -> list[int]:
    """The number of the token that every character belongs to, or of the next one."""
    numbers: list[int] = []
    for count, match in enumerate(_TOKEN.finditer(text)):
        numbers += [count] * (match.end() - len(numbers))
    return numbers
