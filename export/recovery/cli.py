"""`pellucid checkpoint`: a bundle in, a checkpoint out that training begins from."""

import argparse
import sys
from pathlib import Path
from typing import Any

from bundle.errors import BundleError
from export.errors import ExportError
from model.errors import ModelError

_EXAMPLES = """\
example:
  pellucid checkpoint bundles/en-de runs/embedded
  cp runs/embedded/config.toml mine.toml    # then name your text in it
  pellucid train mine.toml --data data --output runs/mine --from runs/embedded/averaged.pt
"""


def register(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "checkpoint",
        help="write the weights of a bundle as a checkpoint to train from",
        description="Write weights, vocabulary and configuration of a bundle that `pellucid train` "
        "made as a checkpoint, so that training can go on without the run, such as on your own "
        "text. Weights of an int8 bundle keep its rounding.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument(
        "output", type=Path, help="folder for averaged.pt, source.spm and config.toml"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write; returns the exit code."""
    from bundle.reader import read_bundle
    from export.recovery.checkpoint import recover_checkpoint

    try:
        print(recover_checkpoint(read_bundle(arguments.bundle), arguments.output))
    except (BundleError, ExportError, ModelError, OSError) as error:
        sys.stderr.write(f"pellucid checkpoint: {error}\n")
        return 2
    return 0
