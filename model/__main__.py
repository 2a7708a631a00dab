"""`python -m model train ...`, the same as `pellucid train ...`; `average` likewise."""

import argparse
import sys

from model import cli
from model.training.averaging import cli as averaging_cli


def main() -> int:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="python -m model")
    commands = parser.add_subparsers(required=True)
    for command in (cli, averaging_cli):
        command.register(commands)
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


sys.exit(main())
