"""Tables of all documents are tables: every row has the cells of its header."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for folder in (".", "docs", "docs/decisions", "bundles/en-de")
    for path in (REPOSITORY / folder).glob("*.md")
)
SPLIT = re.compile(r"(?<!\\)\|")


def broken_rows(text: str) -> list[str]:
    """Rows whose cells are not as many as those of their header, and rows outside of a table."""
    lines = text.splitlines()
    inside: set[int] = set()
    broken: list[str] = []
    for first, end in _blocks(text, "table_open"):
        inside.update(range(first, end))
        width = len(_cells(lines[first]))
        broken += [line for line in lines[first:end] if len(_cells(line)) != width]
    for first, end in (*_blocks(text, "fence"), *_blocks(text, "code_block")):
        inside.update(range(first, end))
    outside = (line for i, line in enumerate(lines) if i not in inside)
    return broken + [line for line in outside if line.lstrip().startswith("|")]


def _blocks(text: str, kind: str) -> Iterator[tuple[int, int]]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == kind and token.map is not None:
            yield token.map[0], token.map[1]


def _cells(line: str) -> list[str]:
    return SPLIT.split(line.strip().removeprefix("|").removesuffix("|"))


def test_documents_are_found() -> None:
    assert {"README.md", "docs/operations.md", "docs/limits.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_tables_are_whole(name: str) -> None:
    assert broken_rows((REPOSITORY / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", []),
        ("| a | b |\n|---|---|\n| 1 | `x\\|y` |\n", []),
        ("| a | b |\n|---|---|\n| 1 | 2 | 3 |\n", ["| 1 | 2 | 3 |"]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |\n", ["| 3 | 4 |"]),
        ("```\n| a |\n```\n", []),
    ],
)
def test_broken_tables_are_found(text: str, broken: list[str]) -> None:
    assert broken_rows(text) == broken
