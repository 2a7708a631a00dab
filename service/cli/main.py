"""`pellucid`: the command, with a subcommand for each tool that is installed."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points, version
from typing import Any, Never

from service.cli import serve
from service.cli.inspection import attention, score
from service.cli.paths import STANDARD_OUTPUT, described, naming
from service.cli.stores import glossary, keys, memory
from service.cli.translation import translate
from service.errors import ServiceError, StartupError

COMMANDS_GROUP = "pellucid.commands"
"""Entry points of further subcommands: functions `register(subparsers)`, see decision 5."""
_EXTRAS = dict.fromkeys(("import", "install", "models", "remove", "search"), "import")
"""The extra that a subcommand needs; others need `train`."""
_FAILED, _WRONG_USE, _INTERRUPTED = 1, 2, 130
_EXAMPLES = """\
examples:
  pellucid serve
  echo 'The weather is nice today.' | pellucid translate --source en --target de
  pellucid attention 'The weather is nice.' --source en --target de --table
"""


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, without argparse's usage text."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own options
        # An abbreviated flag could change its meaning when a later version adds another flag.
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> Never:
        """End with exit code 2."""
        self.exit(_WRONG_USE, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Arguments after the program's name; default: those of the process.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, settings or bundles, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser, unusable = _build_parser()
    name = given[0] if given else ""
    if name in unusable:
        return _complain(_missing_package(name, unusable[name]), _WRONG_USE)
    parsed = parser.parse_args(given)
    try:
        return _run(parsed)
    except StartupError as error:
        return _complain(str(error), _WRONG_USE)
    except ServiceError as error:
        return _complain(str(error), _FAILED)
    except ModuleNotFoundError as error:
        return _complain(_missing_package(name, error), _WRONG_USE)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of the output has closed it, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except OSError as error:
        return _complain(described(error), _FAILED)


def _run(parsed: argparse.Namespace) -> int:
    code = int(parsed.run(parsed))
    with naming(STANDARD_OUTPUT):
        sys.stdout.flush()  # here: a full disk is reported, and not by the interpreter's exit
    return code


def _build_parser() -> tuple[argparse.ArgumentParser, dict[str, ImportError]]:
    """The parser, and the subcommands for which a package is missing."""
    parser = _Parser(
        prog="pellucid",
        description="A self-hosted translation service you can see through.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-V", "--version", action="version", version=f"%(prog)s {version('pellucid')}"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (serve, translate, attention, score, keys, glossary, memory):
        command.register(commands)
    unusable: dict[str, ImportError] = {}
    # By name: a checkout and an installation of it on one path both have them.
    found = {entry_point.name: entry_point for entry_point in entry_points(group=COMMANDS_GROUP)}
    for _, entry_point in sorted(found.items()):
        try:
            entry_point.load()(commands)
        except ImportError as error:
            unusable[entry_point.name] = error
            commands.add_parser(entry_point.name, help=_missing_package(entry_point.name, error))
    return parser, unusable


def _missing_package(command: str, error: ImportError) -> str:
    return (
        f"`pellucid {command}` needs {error.name}, which the runtime leaves out: "
        f"in a checkout, pip install '.[{_EXTRAS.get(command, 'train')}]'"
    )


def _complain(message: str, exit_code: int) -> int:
    sys.stderr.write(f"pellucid: {' '.join(message.split())}\n")
    return exit_code
