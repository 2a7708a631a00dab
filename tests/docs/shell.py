"""The shell commands of the documents, line by line."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md")),
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = ("bash", "sh", "console")
_ASSIGNMENT = re.compile(r"[A-Z_]+=")
_SYNTAX = ("for", "do", "done", "while")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A shell example."""

    where: str
    """Document and line."""
    script: str

    @property
    def document(self) -> str:
        """Its document."""
        return self.where.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of an example."""

    where: str
    line: str
    """As it stands there, on one line, without comment."""

    @property
    def words(self) -> list[str]:
        """The program and its arguments, without variables before it."""
        words = shlex.split(self.line)
        while words and _ASSIGNMENT.match(words[0]):
            del words[0]
        return words

    @property
    def variables(self) -> dict[str, str]:
        """Of its environment, before the program."""
        found: dict[str, str] = {}
        for word in shlex.split(self.line):
            if not _ASSIGNMENT.match(word):
                break
            name, _, found[name] = word.partition("=")
        return found


def blocks(document: str) -> list[Block]:
    """The shell examples of a document."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    return [
        Block(where=f"{document}:{text.count(chr(10), 0, found.start()) + 1}", script=found[2])
        for found in FENCE.finditer(text)
        if found[1] in SHELL
    ]


def commands(block: Block) -> Iterator[Command]:
    """Its commands; those in a loop, too."""
    joined = re.sub(r"\\\n|(?<=\|)\n", " ", block.script)
    for line in joined.splitlines():
        for part in _without_comment(line).split(" && "):
            text = " ".join(part.split())
            if text and text.split()[0] not in _SYNTAX:
                yield Command(where=block.where, line=text)


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)
