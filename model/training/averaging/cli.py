"""`pellucid average`: several checkpoints in, their mean out."""

import argparse
import sys
from pathlib import Path

from model.errors import ModelError

_EXAMPLES = """\
example:
  pellucid average runs/en-de/averaged.pt runs/en-de-late/best.pt --output runs/en-de-mean
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `average` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "average",
        help="take the mean of several checkpoints",
        description="Take the mean of checkpoints that were trained one from another: it is often "
        "better than each of them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoints",
        nargs="+",
        type=Path,
        metavar="CHECKPOINT",
        help="averaged.pt or best.pt of a run; the last one's configuration goes along",
    )
    parser.add_argument(
        "--output", "--out", type=Path, required=True, help="folder for averaged.pt"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Average; returns the exit code."""
    from model.training.averaging.mean import average_checkpoints

    try:
        print(average_checkpoints(arguments.checkpoints, arguments.output))
    except (ModelError, OSError) as error:
        print(f"pellucid average: {error}", file=sys.stderr)
        return 2
    return 0
