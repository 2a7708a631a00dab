"""Draws the held-out sets from the training data, once, before the first run.

Each set is drawn by seed. `data.held_out` of a configuration names the files; preparation then
leaves out every pair that shares a side with one of them.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from model.config import read_config
from model.data.corpus import SentencePair, read_pairs
from model.data.filtering import filtered
from model.data.held_out import choose_held_out, without_texts_of, write_pairs

SEED = 24
WRITTEN = {
    "news": ("news", "news2"),
    "mail": ("letters",),
    "instructions": ("home", "work"),
    "dialogue": ("dialogue",),
}
"""Sets of the written corpus, and the domains of each."""
WRITTEN_PAIRS = 300
TATOEBA_PAIRS = 1000


def main() -> int:
    """Write the files; return the exit code."""
    arguments = _parse()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, pairs in _sets(arguments.data, arguments.before):
        write_pairs(arguments.out / f"{name}.tsv", pairs)
        print(f"{name}: {len(pairs)} pairs")
    return 0


def _sets(data: Path, before: Path) -> Iterator[tuple[str, list[SentencePair]]]:
    """Sets by name: those of earlier runs are unchanged, the others are drawn from the rest."""
    first = _read("en-de/train.tsv.xz", data)
    dev = _read("en-de/dev.tsv.xz", data)
    domains = _held_out_before(first, dev, before)
    yield "domains", domains
    tatoeba = [p for p in without_texts_of(first, [*dev, *domains]) if p.origin == "tatoeba"]
    yield "tatoeba", _drawn(tatoeba, "tatoeba", TATOEBA_PAIRS)
    written = without_texts_of(_read("en-de-2/written.tsv.xz", data), dev)
    for name, origins in WRITTEN.items():
        candidates = [p for p in written if p.origin in origins]
        yield f"written-{name}", _drawn(candidates, f"written-{name}", WRITTEN_PAIRS)


def _held_out_before(
    pairs: list[SentencePair], dev: list[SentencePair], before: Path
) -> list[SentencePair]:
    """The pairs of each corpus that the runs of the earlier bundle held out."""
    config = read_config(before)
    counts = {s.name: s.held_out for s in config.data.sources if s.held_out}
    kept, _ = filtered(pairs)
    return choose_held_out(without_texts_of(kept, dev), counts, seed=config.training.seed)


def _drawn(pairs: Iterable[SentencePair], name: str, count: int) -> list[SentencePair]:
    return choose_held_out([replace(p, origin=name) for p in pairs], {name: count}, seed=SEED)


def _read(name: str, data: Path) -> list[SentencePair]:
    return read_pairs(name, data)[0]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.held_out_sets", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with en-de and en-de-2")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sets")
    parser.add_argument(
        "--before",
        type=Path,
        default=Path("model/configs/en-de-phrases.toml"),
        help="configuration whose held-out pairs stay held out",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
