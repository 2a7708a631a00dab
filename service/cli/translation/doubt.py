"""`--details`, `--search` and `--warn` of `pellucid translate`: what is known of the lines."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from service.errors import StartupError

if TYPE_CHECKING:
    from service.translation.values import SentenceTranslation, Translation


def add_doubt_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        "--details",
        action="store_true",
        help="write a line of JSON for each line, as the API replies with `details`",
    )
    parser.add_argument(
        "--search",
        action="store_true",
        help="with --details: also the search, token by token, and why it stopped",
    )
    parser.add_argument(
        "--warn",
        action="store_true",
        help="name every doubtful sentence on standard error; the exit code stays 0",
    )


def check_doubt_arguments(arguments: argparse.Namespace) -> None:
    """Refuses the flags where no line, or no JSON, is written.

    Raises:
        StartupError: They were given with `--output` or `--ray`, or `--search` by itself.
    """
    if arguments.search and not arguments.details:
        raise StartupError("--search is part of the JSON of --details: give both")
    if (arguments.details or arguments.warn) and (arguments.output or arguments.ray):
        raise StartupError("--details and --warn apply to lines: omit them, --output and --ray")


def details_line(translation: "Translation") -> bytes:
    """A translation as `POST /translate` replies with details; without a line end."""
    from service.api.replies.json import json_bytes  # here: it imports the web framework
    from service.api.replies.translation import translation_content

    content = translation_content(
        (translation,),
        is_list=False,
        with_detection=False,
        with_alternatives=bool(translation.alternatives),
        with_details=True,
    )
    return json_bytes(content)


def warnings_of(translation: "Translation", number: int) -> Iterator[str]:
    """A line for each sentence of low confidence, and for each with a check.

    Args:
        translation: Of a line.
        number: Of the line, from 1.
    """
    for sentence in translation.sentences:
        if sentence.is_doubtful or sentence.checks:
            yield f"line {number}: {'; '.join(_reasons(sentence))}: {sentence.translation}"


def _reasons(sentence: "SentenceTranslation") -> Iterator[str]:
    if sentence.is_doubtful:
        yield f"confidence {sentence.confidence:.2f}"
        words = [word.text for word in sentence.words if word.doubt]
        if words:
            yield f"unsure of {', '.join(words)}"
    yield from (check.message for check in sentence.checks)
