"""`python -m model.synthesis.templates_cli`: fills templates to a file of pairs."""

import argparse
import sys
from pathlib import Path

from model.data.corpus import read_pairs
from model.data.held_out import write_pairs
from model.synthesis.templates import Names, filled


def main() -> int:
    """Write the pairs; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m model.synthesis.templates_cli")
    parser.add_argument("templates", type=Path, help="english, tab, german, with slots")
    parser.add_argument("names", type=Path, help="english, tab, german, tab, kind")
    parser.add_argument("--output", "--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    templates, names = (
        read_pairs(path.name, path.parent)[0] for path in (arguments.templates, arguments.names)
    )
    pairs = filled(templates, Names(names), count=arguments.count, seed=arguments.seed)
    write_pairs(arguments.output, pairs)
    print(f"{arguments.output}: {len(pairs)} pairs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
