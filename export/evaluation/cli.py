"""`pellucid evaluate`: a bundle and a text with references in, scores out."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from export.arguments import positive

if TYPE_CHECKING:
    from export.evaluation.outputs import System
    from export.evaluation.scores import Difference, Scoring, SystemScores
    from export.evaluation.texts import TestText

SIGNIFICANT = 0.05
_EXAMPLES = """\
examples:
  pellucid evaluate bundles/en-de --source test.en --reference test.de
  pellucid evaluate bundles/new --against bundles/old --source test.en --reference test.de
  pellucid evaluate bundles/tiny --source val.en.xz --reference val.de.xz --tokenize none
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `evaluate` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "evaluate",
        help="score a bundle on a text with references",
        description="Translate with the model of a bundle, one sentence per line, and score it: "
        "without sentence splitting, placeholders or second attempts, which belong to the service.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument(
        "--source", type=Path, required=True, metavar="FILE", help="text, a sentence a line"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="its translation, line by line; may be given again for further ones",
    )
    parser.add_argument(
        "--against", type=Path, metavar="BUNDLE2", help="the bundle to compare with"
    )
    _add_search(parser)
    _add_scoring(parser)
    parser.set_defaults(run=run)


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pair", help="direction such as en-de, where the bundle has several")
    parser.add_argument(
        "--beam-size", "--beam", type=int, metavar="N", help="hypotheses kept, default the bundle's"
    )
    parser.add_argument(
        "--length-penalty", type=float, metavar="ALPHA", help="of beam search, default the bundle's"
    )
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="default 1")


def _add_scoring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tokenize",
        choices=("13a", "intl", "char", "none"),
        default="13a",
        help="tokenizer of BLEU, default 13a; none where both sides are tokenised already",
    )
    parser.add_argument("--lower-case", action="store_true", help="score without capitals")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write a row per sentence")
    parser.add_argument(
        "--comet", metavar="MODEL", help="score with the program comet-score and this model too"
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; returns the exit code."""
    from bundle.errors import BundleError
    from export.evaluation.errors import EvaluationError

    try:
        _evaluate(arguments)
    except (EvaluationError, BundleError, OSError) as error:
        print(f"pellucid evaluate: {error}", file=sys.stderr)
        return 2
    return 0


def _evaluate(arguments: argparse.Namespace) -> None:
    from export.evaluation.comet import find_program
    from export.evaluation.outputs import Search, translate_with
    from export.evaluation.scores import Scoring, compare
    from export.evaluation.table import check_writable, write_table
    from export.evaluation.texts import read_test_text

    if arguments.comet:
        find_program()
    if arguments.table:
        check_writable(arguments.table)
    text = read_test_text(arguments.source, arguments.reference)
    scoring = Scoring(tokenisation=arguments.tokenize, is_lower_case=arguments.lower_case)
    search = Search(
        pair=arguments.pair,
        beam_size=arguments.beam_size,
        length_penalty=arguments.length_penalty,
        num_threads=arguments.threads,
    )
    bundles = [arguments.bundle, *([arguments.against] if arguments.against else [])]
    systems = [translate_with(path, text.sources, search) for path in bundles]
    for system in systems:
        _report(system, text, scoring, arguments.comet)
    if len(systems) == 2:
        print(f"{systems[0].name} against {systems[1].name}:")
        for difference in compare(systems[1], systems[0], text, scoring):
            print(f"  {_describe_difference(difference)}")
    if arguments.table:
        write_table(arguments.table, systems, text, scoring)


def _report(system: "System", text: "TestText", scoring: "Scoring", comet: str | None) -> None:
    from export.evaluation.comet import comet_score
    from export.evaluation.scores import score

    scores = score(system, text, scoring)
    print(f"{system.name}: {len(system.outputs)} sentences, beam {system.beam_size}")
    for line in _describe(scores):
        print(f"  {line}")
    if comet:
        print(f"  COMET {comet_score(system.texts, text, comet):.4f} ({comet})")


def _describe(scores: "SystemScores") -> list[str]:
    faults = (
        f"{scores.num_empty} empty, {scores.num_looping} looping, {scores.num_cut_off} cut off, "
        f"{scores.num_too_long} not translated because the source is too long"
    )
    return [
        f"BLEU {scores.bleu:.2f} ({scores.bleu_signature})",
        f"chrF {scores.chrf:.2f} ({scores.chrf_signature})",
        f"length ratio {scores.length_ratio:.3f}",
        faults,
    ]


def _describe_difference(difference: "Difference") -> str:
    verdict = "significant" if difference.p_value < SIGNIFICANT else "not significant"
    return (
        f"{difference.metric} {difference.difference:+.2f}, p = {difference.p_value:.3f}: "
        f"{verdict} ({difference.signature})"
    )
