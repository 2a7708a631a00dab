"""Word alignments of the training pairs, which one cross-attention head learns to follow.

eflomal (Östling and Tiedemann, 2016), a statistical aligner, runs as a separate program and aligns
in both directions; its links are then symmetrised.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.data.batching import EncodedCorpus
from model.errors import ConfigError, CorpusError

ALIGNER = "eflomal-align"

Link = tuple[int, int]
"""Position in the source, position in the target."""
IdPair = tuple[bytes, bytes]
"""Ids of both sides as the bytes of uint16, without prefix and end token."""
Align = Callable[[Sequence[IdPair]], Iterable[set[Link]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusLinks:
    """The links of all pairs of a corpus, concatenated."""

    links: NDArray[np.uint16]
    """[links, 2]: position in the source, its prefix counted, and in the target."""
    starts: NDArray[np.int64]
    """[pairs + 1]: pair i has `links[starts[i]:starts[i + 1]]`."""

    def of(self, pair: int) -> NDArray[np.uint16]:
        """Links of one pair, uint16 [links, 2]."""
        return self.links[self.starts[pair] : self.starts[pair + 1]]


def align_corpus(
    corpus: EncodedCorpus, prefixes: Mapping[int, bool], align: Align | None = None
) -> CorpusLinks:
    """Align every distinct pair once; copies and the reversed direction reuse its links.

    Args:
        corpus: Encoded pairs.
        prefixes: Ids of language tags that sources begin with, and whether such a pair is reversed.
        align: The aligner; eflomal if none is given.

    Raises:
        ConfigError: The aligner is not installed.
        CorpusError: The aligner failed.
    """
    numbers: dict[IdPair, int] = {}
    rows = [_unprefixed(corpus, i, prefixes) for i in range(len(corpus))]
    for row in rows:
        numbers.setdefault(row.ids, len(numbers))
    # Arrays, because the sets of a million pairs would take gigabytes.
    found = [_sorted_array(links) for links in (align or eflomal)(list(numbers))]
    links = [_placed(found[numbers[row.ids]], row) for row in rows]
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(each) for each in links], out=starts[1:])
    return CorpusLinks(links=np.concatenate(links), starts=starts)


def eflomal(pairs: Sequence[IdPair]) -> Iterator[set[Link]]:
    """Align `pairs` both ways and symmetrise.

    Raises:
        ConfigError: eflomal is not installed.
        CorpusError: It failed.
    """
    program = _aligner()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, file in enumerate(("source", "target")):
            (folder / file).write_text("".join(_line(p[side]) for p in pairs), encoding="ascii")
        files = ["-s", "source", "-t", "target", "-f", "forward", "-r", "reverse"]
        done = subprocess.run([program, *files], cwd=folder, capture_output=True, check=False)
        if done.returncode:
            raise CorpusError(f"{ALIGNER} failed: {done.stderr.decode(errors='replace').strip()}")
        with (folder / "forward").open() as forward, (folder / "reverse").open() as reverse:
            lines = zip(forward, reverse, strict=True)
            for ours, theirs in tqdm(lines, desc="aligning", total=len(pairs), unit="pair"):
                yield symmetrised(read_links(ours), read_links(theirs))


def _aligner() -> str:
    """Path of the aligner: beside this Python, whose environment may not be on PATH, or on PATH."""
    found = shutil.which(ALIGNER, path=Path(sys.executable).parent) or shutil.which(ALIGNER)
    if found is None:
        raise ConfigError(
            "alignment", [f"{ALIGNER} is not installed: pip install eflomal, or remove the section"]
        )
    return found


def read_links(line: str) -> set[Link]:
    """`0-0 1-2` -> {(0, 0), (1, 2)}."""
    links = (link.partition("-") for link in line.split())
    return {(int(source), int(target)) for source, _, target in links}


def symmetrised(forward: set[Link], reverse: set[Link]) -> set[Link]:
    """Grow the intersection by neighbours from the union (Och and Ney, 2003: "grow-diag").

    A link is added if it is adjacent to one that is already in, diagonals included, and at least
    one of its two words has no link yet.
    """
    links = forward & reverse
    sources, targets = {s for s, _ in links}, {t for _, t in links}
    candidates = sorted((forward | reverse) - links)
    is_growing = True
    while is_growing:
        is_growing = False
        for source, target in candidates:
            has_free_word = source not in sources or target not in targets
            if has_free_word and _is_adjacent(source, target, links):
                links.add((source, target))
                sources.add(source)
                targets.add(target)
                is_growing = True
    return links


def _is_adjacent(source: int, target: int, links: set[Link]) -> bool:
    steps = (-1, 0, 1)
    return any((source + i, target + j) in links for i in steps for j in steps if i or j)


@dataclass(frozen=True, slots=True)
class _Row:
    """A pair of the corpus, its sides in the order of the files' columns."""

    ids: IdPair
    num_prefixes: int
    is_reversed: bool


def _unprefixed(corpus: EncodedCorpus, pair: int, prefixes: Mapping[int, bool]) -> _Row:
    source = corpus.source_ids[corpus.source_starts[pair] : corpus.source_starts[pair + 1] - 1]
    target = corpus.target_ids[corpus.target_starts[pair] : corpus.target_starts[pair + 1] - 1]
    first = int(source[0]) if len(source) else -1
    num_prefixes = int(first in prefixes)
    ids = (source[num_prefixes:].tobytes(), target.tobytes())
    is_reversed = prefixes.get(first, False)
    return _Row(ids[::-1] if is_reversed else ids, num_prefixes, is_reversed)


def _sorted_array(links: set[Link]) -> NDArray[np.uint16]:
    return np.array(sorted(links), dtype=np.uint16).reshape(-1, 2)


def _placed(links: NDArray[np.uint16], row: _Row) -> NDArray[np.uint16]:
    directed = links[:, ::-1] if row.is_reversed else links
    return directed + np.array([row.num_prefixes, 0], dtype=np.uint16)


def _line(ids: bytes) -> str:
    return " ".join(map(str, np.frombuffer(ids, dtype=np.uint16).tolist())) + "\n"
