"""`pellucid export`: a checkpoint in, a verified bundle out."""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from export.arguments import add_bundle_arguments, beam_size, describe, positive

if TYPE_CHECKING:
    from export.options import ExportOptions

_EXAMPLES = """\
examples:
  pellucid export runs/en-de-small/averaged.pt bundles/en-de --data data
  pellucid export runs/en-de-small/best.pt /tmp/en-de-fp32 --data data --precision fp32
  pellucid export runs/big/averaged.pt bundles/big --data data --shortlist en-de/train.tsv.xz
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "export",
        help="turn a checkpoint into a verified bundle",
        description="Build the graphs, prove them against the network, quantise, pack.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="averaged.pt or best.pt of a run")
    parser.add_argument("out", type=Path, help="folder of the bundle")
    parser.add_argument("--data", type=Path, required=True, help="folder of the run's data")
    parser.add_argument(
        "--precision", type=_precision, default="int8", metavar="{int8,fp32}", help="default int8"
    )
    parser.add_argument(
        "--sentences",
        type=positive,
        default=500,
        metavar="N",
        help="development sentences to verify with, default 500",
    )
    _add_search(parser)
    add_bundle_arguments(parser)
    parser.set_defaults(run=run)


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shortlist",
        metavar="PAIRS",
        help="learn a vocabulary shortlist for greedy search from this parallel text below --data; "
        "refused if it loses over 0.2 BLEU",
    )
    parser.add_argument(
        "--beam-size",
        type=beam_size,
        default=4,
        metavar="N",
        help="hypotheses kept where a request does not say, default 4; 1 is greedy search, the "
        "fast way",
    )
    parser.add_argument(
        "--length-penalty",
        type=_penalty,
        default=0.6,
        metavar="ALPHA",
        help="of beam search where a request has none: 0 favours short translations, default 0.6; "
        "`pellucid evaluate --length-penalty` shows which is best",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export; returns the exit code."""
    from bundle.errors import BundleError
    from export.errors import ExportError
    from export.exporter import export_bundle
    from model.errors import ModelError

    try:
        manifest = export_bundle(_options(arguments))
    except (ExportError, ModelError, BundleError, OSError) as error:
        print(f"pellucid export: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {describe(manifest)}")
    return 0


def _options(arguments: argparse.Namespace) -> "ExportOptions":
    from export.options import ExportOptions

    return ExportOptions(
        checkpoint=arguments.checkpoint,
        out=arguments.out,
        data=arguments.data,
        precision=arguments.precision,
        name=arguments.name,
        max_source_tokens=arguments.max_source_tokens,
        max_target_tokens=arguments.max_target_tokens,
        verification_sentences=arguments.sentences,
        max_bleu_loss=arguments.max_bleu_loss,
        head_sentences=arguments.heads,
        shortlist=arguments.shortlist,
        beam_size=arguments.beam_size,
        length_penalty=arguments.length_penalty,
        force=arguments.force,
    )


def _precision(text: str) -> str:
    if text == "int8-fast":
        raise argparse.ArgumentTypeError(
            "int8-fast would take its scales from the whole batch; it was measured no faster than "
            "int8, so it is not offered (docs/decisions/0009)"
        )
    if text not in ("int8", "fp32"):
        raise argparse.ArgumentTypeError(f"{text} is neither int8 nor fp32")
    return text


def _penalty(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of 0 or more")
    return number
