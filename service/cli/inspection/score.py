"""`pellucid score`: log-probabilities of given translations."""

import argparse
import asyncio
import io
import json
import sys
from typing import TYPE_CHECKING

from service.cli.heads import add_heads_argument, heads_of
from service.cli.local import add_model_arguments, open_translator
from service.errors import InvalidRequestError

if TYPE_CHECKING:
    from service.inspection.values import ScoredPair

_EXAMPLES = """\
examples:
  pellucid score 'The weather is nice.' 'Das Wetter ist schön.' --source en --target de
  pellucid score --source en --target de < pairs.tsv
  pellucid score 'The weather is nice.' 'Das Wetter ist schön.' --source en --target de \\
      --without-heads cross:1:0

Prints the log-probability in nats of each translation, and with --json that of each token.
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `score`."""
    parser = commands.add_parser(
        "score",
        help="print how likely a translation is",
        description="Score translations; without arguments, reads source<TAB>target lines.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="a text and its translation")
    add_model_arguments(parser)
    add_heads_argument(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per line, with tokens"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Score pairs; returns the exit code.

    Raises:
        StartupError: A setting or a bundle cannot be used.
        ServiceError: A pair cannot be scored.
    """
    from service.inspection.values import ScoreRequest

    pairs = _pairs(arguments.texts)
    request = ScoreRequest(
        pairs=pairs,
        source=arguments.source,
        target=arguments.target,
        without_heads=heads_of(arguments),
    )
    with open_translator(arguments) as translator:
        for scored in asyncio.run(translator.score(request)):
            sys.stdout.write(_line(scored, as_json=arguments.json) + "\n")
    return 0


def _pairs(texts: list[str]) -> tuple[tuple[str, str], ...]:
    if not texts:
        if isinstance(sys.stdin, io.TextIOWrapper):  # whatever the locale: as other commands read
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")
        return tuple(_columns(i, line) for i, line in enumerate(sys.stdin, 1) if line.strip())
    if len(texts) != 2:
        raise InvalidRequestError(f"{len(texts)} texts were given: give a text and its translation")
    return ((texts[0], texts[1]),)


def _columns(number: int, line: str) -> tuple[str, str]:
    if any("\udc80" <= character <= "\udcff" for character in line):
        raise InvalidRequestError(f"line {number} is not UTF-8")
    columns = line.rstrip("\r\n").split("\t")
    if len(columns) < 2:
        raise InvalidRequestError(f"line {number} has no tab: put one between text and translation")
    return columns[0], columns[1]


def _line(pair: "ScoredPair", *, as_json: bool) -> str:
    if not as_json:
        return f"{pair.log_prob:.4f}"
    tokens = {"target_tokens": pair.target_tokens, "token_scores": pair.token_log_probs}
    return json.dumps({"score": pair.log_prob, **tokens}, ensure_ascii=False)
