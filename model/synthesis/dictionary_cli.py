"""`python -m model.synthesis.dictionary_cli`: selects the usual senses of a dictionary."""

import argparse
import sys
from pathlib import Path

from model.data.corpus import SentencePair, read_pairs
from model.data.held_out import write_pairs
from model.synthesis.dictionary import capitalised, usual_senses


def main() -> int:
    """Write the pairs; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m model.synthesis.dictionary_cli")
    parser.add_argument("files", type=Path, nargs="+", help="the dictionary and running text")
    parser.add_argument("--entries", default="ding", help="origin of the dictionary's pairs")
    parser.add_argument(
        "--text", nargs="+", help="origins of the running text; default: all others"
    )
    parser.add_argument("--output", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    entries: list[SentencePair] = []
    text: list[SentencePair] = []
    for path in arguments.files:
        for pair in read_pairs(path.name, path.parent)[0]:
            if pair.origin == arguments.entries:
                entries.append(pair)
            elif not arguments.text or pair.origin in arguments.text:
                text.append(pair)
    found = usual_senses(entries, text)
    found += capitalised(found)
    write_pairs(arguments.output, found)
    print(f"{arguments.output}: {len(found)} pairs of {len(entries)} entries")
    return 0


if __name__ == "__main__":
    sys.exit(main())
