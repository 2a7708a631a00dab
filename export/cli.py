"""`pellucid export`: a checkpoint in, a verified bundle out."""

import argparse
import sys
from pathlib import Path

_EXAMPLES = """\
examples:
  pellucid export runs/en-de-small/averaged.pt bundles/en-de --data data
  pellucid export runs/en-de-small/best.pt /tmp/en-de-fp32 --data data --precision fp32
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
    parser.add_argument("--precision", choices=["int8", "fp32"], default="int8")
    parser.add_argument("--name", help="name of the bundle; default: the folder's")
    parser.add_argument("--max-source-tokens", type=_positive, default=256, metavar="N")
    parser.add_argument("--max-target-tokens", type=_positive, default=256, metavar="N")
    parser.add_argument(
        "--sentences",
        type=_positive,
        default=500,
        metavar="N",
        help="development sentences to verify with, default 500",
    )
    parser.add_argument(
        "--max-bleu-loss",
        type=float,
        default=0.3,
        metavar="POINTS",
        help="refuse int8 that loses more against fp32, default 0.3",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing bundle")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export; returns the exit code."""
    from bundle.errors import BundleError
    from export.errors import ExportError
    from export.exporter import export_bundle
    from export.options import ExportOptions
    from model.errors import ModelError

    options = ExportOptions(
        checkpoint=arguments.checkpoint,
        out=arguments.out,
        data=arguments.data,
        precision=arguments.precision,
        name=arguments.name,
        max_source_tokens=arguments.max_source_tokens,
        max_target_tokens=arguments.max_target_tokens,
        verification_sentences=arguments.sentences,
        max_bleu_loss=arguments.max_bleu_loss,
        force=arguments.force,
    )
    try:
        manifest = export_bundle(options)
    except (ExportError, ModelError, BundleError, OSError) as error:
        print(f"pellucid export: {error}", file=sys.stderr)
        return 2
    size_bytes = sum(entry.size_bytes for entry in manifest.files.values())
    scores = ", ".join(f"{q.precision} BLEU {q.bleu} chrF {q.chrf}" for q in manifest.quality)
    print(f"{options.out}: {size_bytes / 1e6:.1f} MB, {scores}")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number
