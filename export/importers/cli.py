"""`pellucid import`: a checkpoint of another program in, a verified bundle out."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from export.arguments import add_bundle_arguments, describe, positive
from export.importers.kinds import READERS, default_precision

if TYPE_CHECKING:
    from bundle.parity import OriginalParity
    from export.importers.options import ImportOptions

_EXAMPLES = """\
examples:
  pellucid import hf-marian opus-mt-en-de bundles/en-de --source en --target de
  pellucid import hf-marian Helsinki-NLP/opus-mt-en-de bundles/en-de
  pellucid import hf-marian opus-mt-en-de bundles/en-de --precision int8 --dev dev.tsv
  pellucid import marian model.npz bundles/en-de --source en --target de
  pellucid import ctranslate2 translate-en_de bundles/en-de
  pellucid import firefox ende bundles/en-de
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `import` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "import",
        help="turn a model of another program into a verified bundle",
        description="Read a checkpoint of another program, build its graphs, and compare them with "
        "that program, where it is installed.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=READERS, metavar="KIND", help=", ".join(READERS))
    parser.add_argument("path", type=Path, help="folder or file of the checkpoint")
    parser.add_argument("out", type=Path, help="folder of the bundle")
    parser.add_argument(
        "--precision",
        choices=("fp32", "int8"),
        help="default fp32, for firefox int8 as it is stored; int8 of other kinds needs --dev",
    )
    _add_languages(parser)
    _add_sentences(parser)
    add_bundle_arguments(parser)
    parser.set_defaults(run=run)


def _add_languages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="LANGUAGE",
        help="code of a source language, where the checkpoint does not say; may be given again",
    )
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="LANGUAGE",
        help="likewise; of a multilingual model, a target language of the bundle",
    )


def _add_sentences(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dev",
        action="append",
        default=[],
        metavar="[DIRECTION=]FILE",
        help="sentences and translations, tab-separated, to verify and calibrate with; en-de=FILE "
        "where the model has several directions; may be given again",
    )
    parser.add_argument(
        "--sentences",
        type=positive,
        default=500,
        metavar="N",
        help="sentences of each direction to verify with, default 500",
    )


def run(arguments: argparse.Namespace) -> int:
    """Import; returns the exit code."""
    from bundle.errors import BundleError
    from export.errors import ExportError
    from export.importers.importer import import_bundle
    from model.errors import ModelError

    try:
        options = _options(arguments)
        manifest = import_bundle(options)
    except (ExportError, ModelError, BundleError, OSError) as error:
        print(f"pellucid import: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {describe(manifest)}; {_comparison(manifest.parity.original)}")
    return 0


def _options(arguments: argparse.Namespace) -> "ImportOptions":
    """Options of the arguments.

    Raises:
        ExportError: The checkpoint is not here, and cannot be downloaded from the hub.
    """
    from export.importers.files.hub import local_checkpoint
    from export.importers.options import DevelopmentFile, ImportOptions

    dev = [text.rpartition("=") for text in arguments.dev]
    return ImportOptions(
        kind=arguments.kind,
        path=local_checkpoint(arguments.path),
        out=arguments.out,
        precision=arguments.precision or default_precision(arguments.kind),
        name=arguments.name,
        sources=tuple(arguments.source),
        targets=tuple(arguments.target),
        dev=tuple(DevelopmentFile(path=Path(f), direction=d or None) for d, _, f in dev),
        max_source_tokens=arguments.max_source_tokens,
        max_target_tokens=arguments.max_target_tokens,
        verification_sentences=arguments.sentences,
        max_bleu_loss=arguments.max_bleu_loss,
        head_sentences=arguments.heads,
        force=arguments.force,
    )


def _comparison(original: "OriginalParity | None") -> str:
    """What the bundle was compared with."""
    if original is None:
        return "compared with its formulas, and with no other program"
    return f"as {original.implementation} in {original.sentences} sentences"
