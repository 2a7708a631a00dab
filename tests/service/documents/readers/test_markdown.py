"""Markdown: running text is translated, its layout stays."""

import re

import pytest
from markdown_it import MarkdownIt

from service.documents.readers.markdown import read

README = """\
---
title: kept
---
# A *small* title #

First paragraph with **bold [a link](http://x.org "t") text** and `code`,
wrapped at some width, with <b>HTML</b> and an image ![alt](a.png).

> [!NOTE]
> Quoted words
> on two lines.

- one
  goes on
- [ ] two[^1]
  1. nested \\* star

| head | a\\|b |
|------|------|
| cell | `x` and y |

```python
print("kept")
```

    kept, too

Underlined
==========

<p align="center">Inside <i>HTML</i></p>

[^1]: A note.
[^b]: Another.

[ref]: http://kept.org "kept"
"""


def _capitals(text: str) -> str:
    """A translation that leaves tags and entities alone."""
    return re.sub(r"(<[^>]*>|&\w+;)|[^<&]+", lambda m: m[1] or m[0].upper(), text)


def _translated(text: str) -> str:
    document = read(text.encode())
    return document.write([_capitals(string.text) for string in document.strings]).decode()


def _texts(text: str) -> list[str]:
    return [string.text for string in read(text.encode()).strings]


def _shape(text: str) -> list[tuple[str, int]]:
    return [
        (token.type, token.level)
        for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    ]


def test_blocks_stay_what_they_are() -> None:
    assert _shape(_translated(README)) == _shape(README)


@pytest.mark.parametrize(
    "kept",
    ["title: kept", 'print("kept")', "    kept, too", 'http://kept.org "kept"', "(a.png)", "[ ]",
     '(http://x.org "t")', "[!NOTE]", "\n[^1]: A NOTE.\n[^b]: ", '<p align="center">', "\\*"],
)  # fmt: skip
def test_what_is_no_text_stays(kept: str) -> None:
    assert kept in _translated(README)


def test_lines_keep_their_indentation_and_width() -> None:
    assert _translated("> some words\n> and more words\n") == "> SOME WORDS AND\n> MORE WORDS\n"
    assert _translated("- a b\n  c d\r\n") == "- A B\n  C D\r\n"


def test_forced_line_breaks_stay_while_others_move() -> None:
    assert _translated("ab  \nc d\ne f\n") == "AB  \nC D\nE F\n"


def test_markup_inside_a_sentence_becomes_tags() -> None:
    (string,) = read(b"See **the [page](u)** now.").strings
    assert string.format == "html"
    assert re.sub(r"\d+", "N", string.text) == "See <gN>the <gN>page</gN></gN> now."
    moved = string.text.replace("See ", "").replace(" now", " jetzt sehen")
    assert string.written(moved) == "**the [page](u)** jetzt sehen."


@pytest.mark.parametrize(
    "inline",
    ["*a*", "__b__", "~~c~~", "[d](<e f> 'g')", "[h][i]", "[i]", "[i][]", "![j][i]", "<http://k.l>",
     "`` m`n ``", "`o<p`", "\\*q\\*", "r&nbsp;s", "t &lt; u", "<b>v</b>", "w  \nx", "y\\\nz",
     "*[a](b)*", "[![a](b)](c)", "a < b", "[^1]", "[x](a\\)b)"],
)  # fmt: skip
def test_every_kind_of_markup_comes_back(inline: str) -> None:
    text = f"word {inline} word\n\n[i]: http://i\n"
    document = read(text.encode())
    # A further word makes it another text, so that it is put together anew.
    changed = [f"{string.text} more" for string in document.strings]
    assert document.write(changed).decode() == text.replace(" word\n", " word more\n", 1)


def test_a_translation_does_not_begin_a_list() -> None:
    (string,) = read(b"January 1st").strings
    assert string.written("1. Januar") == "1\\. Januar"
    assert string.written("- Januar") == "\\- Januar"
    assert string.written("# Januar") == "\\# Januar"
    assert string.written("1.5 Januar") == "1.5 Januar"


def test_a_cell_keeps_its_borders() -> None:
    assert _texts("| a\\|b | c |\n|--|--|\n| d | d |\n") == ["a|b", "c", "d", "d"]
    assert _translated("| a\\|b | c |\n|-|-|\n") == "| A\\|B | C |\n|-|-|\n"


FORMULAS = [
    "$$\nx = the\n$$",
    "$$ x = the $$",
    "$$x\n  = the$$",
    "> $$\n> x\n> $$",
    "- $$\n  x\n  $$",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_no_text(formula: str) -> None:
    for frame in ("{}\n", "before\n\n{}\n\nbehind\n", "before\n{}\n\nbehind\r\n"):
        assert _translated(frame.format(formula)) == frame.upper().format(formula)


@pytest.mark.parametrize("text", ["$$ is a sign\nof money", "$$\n\n$$", "$$$$\nand more"])
def test_dollars_alone_are_text(text: str) -> None:
    assert _translated(text).split() == text.upper().split()


@pytest.mark.parametrize(
    "mark", [":::note", ":::tip[The title]", "::: {.warning}", ":::: danger x"]
)
def test_a_container_keeps_its_lines(mark: str) -> None:
    end = mark[: mark.count(":")]

    def page(before: str, text: str, item: str) -> str:
        return f"{before}\n{mark}\n{text}\n{end}\n\n{mark}\n\n- {item}\n\n{end}\n"

    assert _translated(page("before", "some text", "more")) == page("BEFORE", "SOME TEXT", "MORE")


def test_front_matter_is_only_at_the_beginning() -> None:
    assert _texts("---\na: b\n---\ntext") == ["text"]
    assert _texts("text\n\n---\na\n\n---\n") == ["text", "a"]
