"""`python -m export export ...`, the same as `pellucid export ...`."""

import argparse
import sys

from export.cli import register


def main() -> int:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(prog="python -m export")
    register(parser.add_subparsers(required=True))
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


sys.exit(main())
