"""Alignments between white-space tokens, and their error rate by its definition."""

import numpy as np
import pytest

from service.inspection.corpora.pharaoh_file import (
    GoldError,
    GoldLinks,
    alignment_error_rate,
    gold_links,
    links_beyond,
    links_of,
    pharaoh_line,
)
from service.inspection.values import AttentionMaps, InspectedPair, InspectedSentence
from service.text.alignment.word_links import Span, WordLink


def _sentence(source: Span, target: Span, *links: tuple[Span, Span]) -> InspectedSentence:
    nothing = np.zeros((0, 0), np.float32)
    maps = AttentionMaps(
        source_tokens=(), target_tokens=(), maps={}, alignment=nothing, token_log_probs=()
    )
    return InspectedSentence(
        source="",
        translation="",
        source_span=source,
        target_span=target,
        links=tuple(WordLink(source=a, target=b) for a, b in links),
        attention=maps,
    )


def test_numbers_are_those_of_the_whole_text() -> None:
    pair = InspectedPair(
        source="Ah, yes. Go on!",
        translation="Na ja. Geh  weiter!",
        sentences=(
            _sentence((0, 8), (0, 6), ((0, 2), (0, 2)), ((4, 7), (3, 5)), ((7, 8), (5, 6))),
            _sentence((9, 15), (7, 19), ((0, 2), (0, 3)), ((3, 5), (5, 11)), ((5, 6), (11, 12))),
        ),
    )
    assert pharaoh_line(links_of(pair)) == "0-0 1-1 2-2 3-3"


def test_gold_has_sure_and_possible_links() -> None:
    gold = gold_links("0-0 1?2 3p4\n")
    assert gold == GoldLinks(sure=frozenset({(0, 0)}), possible=frozenset({(0, 0), (1, 2), (3, 4)}))
    with pytest.raises(GoldError, match="'1:2' is no link"):
        gold_links("0-0 1:2")


def test_links_of_tokens_that_are_not_there_are_found() -> None:
    pair = InspectedPair(source="Ah, yes.", translation="Na  ja da.", sentences=())
    assert links_beyond(gold_links("0-0 1?2"), pair) == []
    assert links_beyond(gold_links("2?3 1-1 2-2 0p3"), pair) == [(0, 3), (2, 2), (2, 3)]


@pytest.mark.parametrize(
    ("found", "gold", "rate"),
    [
        ({(0, 0), (1, 1)}, "0-0 1-1", 0.0),
        ({(0, 0), (1, 1)}, "0-0 1?1", 0.0),
        ({(2, 2)}, "0-0", 1.0),
        (set(), "0-0", 1.0),
        # |A & S| = 1, |A & P| = 2, |A| = 3, |S| = 2
        ({(0, 0), (1, 1), (2, 2)}, "0-0 1?1 3-3", 1 - 3 / 5),
    ],
)
def test_the_error_rate_is_that_of_och_and_ney(
    found: set[tuple[int, int]], gold: str, rate: float
) -> None:
    assert alignment_error_rate([(found, gold_links(gold))]) == pytest.approx(rate)


def test_the_error_rate_is_over_all_links_not_a_mean_of_lines() -> None:
    lines = [({(0, 0)}, gold_links("0-0")), ({(1, 0), (2, 0)}, gold_links("0-0 0-1"))]
    assert alignment_error_rate(lines) == pytest.approx(1 - 2 / 6)
    assert alignment_error_rate([]) == 0
