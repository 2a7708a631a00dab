"""Reads, translates and reads again all documents below a folder, such as a checkout of a project.

The translation is capitals between brackets: each string must have one pair of them in what was
written, and a file whose strings stay as they are must come back byte for byte. Prints a line for
each file that was refused or differs, and a table by format.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from service.documents.formats import FORMATS
from tests.service.documents.readers.programs.foreign import outcome_of

_OUTCOMES = ("kept", "nothing to translate", "refused", "differs")


def main() -> int:
    """Check all files; returns the exit code: 1 if any differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--formats", nargs="+", default=[*FORMATS], metavar="SUFFIX")
    arguments = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    for path in sorted(arguments.folder.rglob("*")):
        suffix = path.suffix.lower()
        if path.is_file() and suffix in FORMATS and suffix in arguments.formats:
            outcome, detail = outcome_of(path.name, path.read_bytes())
            counts.setdefault(suffix, Counter())[outcome] += 1
            if detail:
                print(f"{path}: {outcome}: {detail}", file=sys.stderr)
    print(f"| format | files | {' | '.join(_OUTCOMES)} |")
    print("|---|--:|" + "--:|" * len(_OUTCOMES))
    for suffix, found in sorted(counts.items()):
        cells = [str(found.total()), *(str(found[outcome]) for outcome in _OUTCOMES)]
        print(f"| `{suffix}` | {' | '.join(cells)} |")
    return int(any(found["differs"] for found in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
