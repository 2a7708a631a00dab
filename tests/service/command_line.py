"""`pellucid` as a shell calls it, run in the process of the tests: a start costs a second."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from service.cli.main import main
from tests.service.server_process import environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a command left behind, named as `subprocess.CompletedProcess` names it."""

    returncode: int
    stdout: str
    stderr: str


def run_here(*arguments: str, text: str = "", **variables: str) -> Ended:
    """Run `pellucid` to its end in this process.

    Args:
        arguments: Those after the program's name.
        text: Its standard input.
        variables: Further variables of its environment.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with (
        _standard_input(text),
        mock.patch.dict(os.environ, environment(**variables), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = _exit_code(arguments)
    return Ended(returncode=code, stdout=_written(out), stderr=_written(err))


def _exit_code(arguments: tuple[str, ...]) -> int:
    try:
        return main(arguments)
    except SystemExit as ended:  # of argparse
        return ended.code if isinstance(ended.code, int) else 1


@contextmanager
def _standard_input(text: str) -> Iterator[None]:
    """A file, because a command may read from the descriptor."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as given:
        given.write(text)
        given.seek(0)
        with mock.patch.object(sys, "stdin", given):
            yield


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
