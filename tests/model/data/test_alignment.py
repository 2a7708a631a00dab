import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.data.alignment import (
    ALIGNER,
    IdPair,
    Link,
    align_corpus,
    eflomal,
    read_links,
    symmetrised,
)
from model.data.batching import EncodedCorpus, encode_corpus
from model.data.corpus import SentencePair
from model.directions import Direction
from model.errors import ConfigError, CorpusError
from tests.data.toy_language import sentence_pairs
from tests.model.runs import toy_tokenizer

LINKS = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)))
FORWARD = Direction(source="en", target="de", prefix=">>de<<")
BACKWARD = Direction(source="de", target="en", prefix=">>en<<", is_reversed=True)
PREFIXES = {
    toy_tokenizer().piece_to_id(">>de<<"): False,
    toy_tokenizer().piece_to_id(">>en<<"): True,
}


def corpus_of(pairs: Sequence[SentencePair]) -> EncodedCorpus:
    return encode_corpus(pairs, [1.0] * len(pairs), toy_tokenizer(), max_tokens=64)


def first_to_last(pairs: Sequence[IdPair]) -> Iterator[set[Link]]:
    """Links the first word of each source with the last of its target."""
    for _, target in pairs:
        yield {(0, len(target) // 2 - 1)}


@given(LINKS, LINKS)
def test_symmetrised_links_lie_between_intersection_and_union(
    forward: set[Link], reverse: set[Link]
) -> None:
    links = symmetrised(forward, reverse)
    assert forward & reverse <= links <= forward | reverse
    assert links == symmetrised(reverse, forward)
    assert symmetrised(forward, forward) == forward


def test_links_grow_along_neighbours_of_words_that_have_none() -> None:
    forward = {(0, 0), (1, 1), (2, 2), (4, 5)}
    reverse = {(0, 0), (1, 2), (5, 5)}
    assert symmetrised(forward, reverse) == {(0, 0), (1, 1), (1, 2), (2, 2)}


def test_a_line_of_the_aligner_is_a_set_of_links() -> None:
    assert read_links("0-0 1-12\n") == {(0, 0), (1, 12)}
    assert read_links("\n") == set()


def test_a_pair_is_aligned_once_and_its_links_follow_the_direction() -> None:
    seen: list[Sequence[IdPair]] = []

    def align(pairs: Sequence[IdPair]) -> Iterator[set[Link]]:
        seen.append(pairs)
        return first_to_last(pairs)

    pair = SentencePair("a dog", "ein kleiner Hund")
    corpus = corpus_of([pair, pair.towards(FORWARD), pair.towards(BACKWARD), pair])
    links = align_corpus(corpus, PREFIXES, align)
    assert [len(pairs) for pairs in seen] == [1]
    last = int(corpus.target_lengths[0]) - 2  # before the end token
    assert links.of(0).tolist() == links.of(3).tolist() == [[0, last]]
    assert links.of(1).tolist() == [[1, last]]
    assert links.of(2).tolist() == [[1 + last, 0]]


def test_a_pair_without_links_has_none() -> None:
    corpus = corpus_of([SentencePair("a", "b"), SentencePair("c", "d")])
    links = align_corpus(corpus, {}, lambda pairs: [set(), {(0, 0)}])
    assert [len(links.of(i)) for i in range(2)] == [0, 1]


def test_a_missing_aligner_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ConfigError, match=r"eflomal-align is not installed: pip install eflomal"):
        list(eflomal([(b"\x05\x00", b"\x06\x00")]))


def test_the_error_of_a_failed_aligner_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ALIGNER).write_text("#!/bin/sh\necho no space left >&2\nexit 3\n")
    (tmp_path / ALIGNER).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(CorpusError, match=r"eflomal-align failed: no space left"):
        list(eflomal([(b"\x05\x00", b"\x06\x00")]))


@pytest.mark.skipif(
    not shutil.which(ALIGNER, path=Path(sys.executable).parent) and not shutil.which(ALIGNER),
    reason="eflomal is not installed",
)
def test_the_aligner_links_translations() -> None:
    pairs = [SentencePair(*pair) for pair in sentence_pairs(400, seed=4)]
    pairs = [p for p in pairs if " and " not in p.source]
    words = sorted({w for p in pairs for side in (p.source, p.target) for w in side.split()})
    numbers = {word: i for i, word in enumerate(words)}

    def ids(text: str) -> bytes:
        return np.array([numbers[w] for w in text.split()], dtype=np.uint16).tobytes()

    links = list(eflomal([(ids(p.source), ids(p.target)) for p in pairs]))
    # Word for word, and in the same order: the diagonal is what is right.
    right = sum(len({(s, t) for s, t in each if s == t}) for each in links)
    assert right / sum(map(len, links)) > 0.9
    assert right / sum(len(p.target.split()) for p in pairs) > 0.8
