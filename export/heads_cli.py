"""`pellucid heads`: measures what the attention heads of a bundle do."""

import argparse
import sys
from pathlib import Path
from typing import Any

from bundle.errors import BundleError
from bundle.manifest import MANIFEST_NAME, HeadsReport
from export.arguments import positive
from export.errors import ExportError
from model.errors import ModelError

NUM_SENTENCES = 200
"""Translated once without each head."""
_EXAMPLES = """\
examples:
  pellucid heads bundles/en-de dev.tsv
  pellucid heads bundles/en-de dev.tsv --write
"""


def register(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "heads",
        help="measure what each attention head of a bundle does",
        description="Measure where each attention head of a bundle looks, and the BLEU and the "
        "alignment that are lost without it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "bundle",
        type=Path,
        help="folder of the bundle; with --write, no process may be loading it",
    )
    parser.add_argument(
        "text",
        type=Path,
        help="held-out text of the bundle's first direction: lines of source, tab, target; or .xz",
    )
    parser.add_argument(
        "--sentences",
        type=positive,
        default=NUM_SENTENCES,
        metavar="N",
        help="sentences to translate without each head, default %(default)s; alignment uses all",
    )
    parser.add_argument(
        "--write", action="store_true", help="write the result into the bundle's manifest"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure; returns the exit code."""
    try:
        report = measured(arguments.bundle, arguments.text, arguments.sentences)
        if arguments.write:
            write_heads(arguments.bundle, report)
    except (BundleError, ExportError, ModelError, OSError) as error:
        sys.stderr.write(f"pellucid heads: {error}\n")
        return 2
    print(table(report))
    return 0


def measured(folder: Path, text: Path, num_sentences: int) -> HeadsReport:
    """Measure the heads of a bundle in its first direction.

    Raises:
        BundleError: It is no valid bundle, or its heads cannot be left out.
        ExportError: The text has no sentences that fit.
    """
    # Here: every command of `pellucid` loads this module.
    from bundle.reader import read_bundle
    from export.sentences.development_set import held_out
    from export.verification.heads import measure_heads
    from service.engine.graphs.sessions import open_sessions

    sessions = open_sessions(read_bundle(folder))
    sets = [each for each in held_out(sessions.bundle, text) if each.pairs]
    if not sets:
        raise ExportError(
            f"{text} has no pair in a direction of {folder} that fits: write source, tab, target"
        )
    return measure_heads(sessions, sets[0], num_sentences)


def write_heads(folder: Path, report: HeadsReport) -> None:
    """Put a report into the manifest of a bundle, in place of an earlier one.

    Raises:
        BundleError: It is no valid bundle.
    """
    from bundle.reader import read_bundle

    path = folder / MANIFEST_NAME
    before = path.read_bytes()
    manifest = read_bundle(folder).manifest.model_copy(update={"heads": report})
    # Fields that an old bundle lacks stay out: a reader of its time refuses them.
    text = manifest.model_dump_json(indent=2, exclude_unset=True)
    staged = folder / f".{MANIFEST_NAME}"
    staged.write_text(text + "\n", encoding="utf-8")
    staged.replace(path)
    try:
        read_bundle(folder)
    except BundleError:
        path.write_bytes(before)
        raise


def table(report: HeadsReport) -> str:
    """A report as lines, the heads that are missed most first."""
    lines = [
        f"{report.dataset}, {report.pair}, {report.sentences} sentences: BLEU {report.bleu:.2f}"
        + ("" if report.agreement is None else f", alignment {report.agreement:.3f}"),
        "kind     layer head  name      entropy  sink  self  prev  next  word       BLEU  aligned",
    ]
    for head in sorted(report.heads, key=lambda each: -each.bleu_lost):
        shares = (head.on_sink, head.on_current, head.on_previous, head.on_next, head.on_aligned)
        shown = "  ".join("   -" if share is None else f"{share:.2f}" for share in shares)
        lost = "-" if head.agreement_lost is None else f"{0 - head.agreement_lost:+.3f}"
        lines.append(
            f"{head.kind:8} {head.layer:5} {head.head:4}  {head.name or '-':9} {head.entropy:7.2f}"
            f"  {shown}  {0 - head.bleu_lost:+9.2f}  {lost:>7}"
        )
    return "\n".join(lines)
