"""Commands in documents are accepted by `pellucid`, with every flag and argument."""

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.cli.main import _build_parser

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(pellucid [a-z][^`]*)`")
SHELL = ("", "bash", "sh", "console")
PROGRAM = re.compile(r"^(?:[A-Z_]+=\S* )*(?:\.venv/bin/|python -m )?pellucid (?=[a-z-])")
ENDS = ("|", "||", "&&", ";", ">", ">>", "<", "2>", "&")
UNFINISHED = "the following arguments are required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a document."""

    where: str
    words: tuple[str, ...]
    """After the program's name."""
    is_whole: bool
    """Whether it can be run as it stands; else it may lack arguments."""


def commands(name: str) -> Iterator[Command]:
    """The commands of a document, in its examples and within its sentences."""
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    for language, code in FENCE.findall(text):
        if language in SHELL:
            for line in code.replace("\\\n", " ").splitlines():
                for part in line.split(" && "):
                    yield from _commands(name, part.strip(), is_whole=True)
    for inline in INLINE.findall(FENCE.sub("", text)):
        yield from _commands(name, " ".join(inline.split()), is_whole=False)


def _commands(name: str, line: str, *, is_whole: bool) -> Iterator[Command]:
    """A command that is the line, or that its first words feed, as in `echo x | pellucid`."""
    for start in (line, *line.split(" | ")[1:]):
        if found := PROGRAM.match(start):
            words = tuple(_words(start[found.end() :]))
            yield Command(where=f"{name}: {start}", words=words, is_whole=is_whole)


def _words(text: str) -> Iterator[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.wordchars += ":,%@{}[]$"
    for word in lexer:
        if word in ENDS:
            return
        yield word


COMMANDS = [command for name in DOCUMENTS for command in commands(name)]


@pytest.fixture(scope="module")
def parser() -> argparse.ArgumentParser:
    return _build_parser()[0]


def _complaint(
    parser: argparse.ArgumentParser, command: Command, capsys: pytest.CaptureFixture[str]
) -> str:
    try:
        parser.parse_args(command.words)
    except SystemExit as ended:
        said = capsys.readouterr().err
        return said if ended.code else ""
    return ""


def test_the_documents_have_commands() -> None:
    assert len(COMMANDS) > 60
    assert {"translate", "serve", "import", "install", "keys"} <= {c.words[0] for c in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.where)
def test_a_command_is_accepted(
    command: Command, parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    complaint = _complaint(parser, command, capsys)
    assert not complaint or (not command.is_whole and UNFINISHED in complaint)


@pytest.mark.parametrize(
    "line", ["pellucid serve --bundle x", "pellucid fly", "pellucid translate"]
)
def test_wrong_commands_are_found(
    line: str, parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    (command,) = _commands("a document", line, is_whole=True)
    assert _complaint(parser, command, capsys)
