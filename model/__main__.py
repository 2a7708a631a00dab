"""`python -m model train ...`, the same as `pellucid train ...`."""

import argparse
import sys

from model.cli import register


def main() -> int:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m model")
    register(parser.add_subparsers(required=True))
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


sys.exit(main())
