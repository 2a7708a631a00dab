"""Builds a passage from the tokens between two block elements."""

import re
from collections.abc import Sequence
from typing import Literal

from service.text.markup.passage import Passage, Tag
from service.text.markup.references import read_reference, reads_as_markup
from service.text.markup.tokenizer import MarkupToken

_SENTINELS = tuple(map(chr, range(0xE000, 0xF900)))
"""Private-use characters: no font, language or model gives them a meaning."""
_IS_SENTINEL = frozenset(_SENTINELS)
_ALWAYS_RECORDED = frozenset("&<")
_SPACES = r"[ \t\n\f\r]"
_HTML_SPECIAL = re.compile(rf"&|[\t\n\f\r]{_SPACES}*+| {_SPACES}++")
_XML_SPECIAL = re.compile(r"&")
_SIGN = re.compile(r"[&<]")


class PassageBuilder:
    """Collects the tokens of a passage one by one."""

    def __init__(self, kind: Literal["html", "xml"], sentinels: Sequence[str]) -> None:
        """Starts an empty passage.

        Args:
            kind: The markup language.
            sentinels: Characters that do not occur in the whole document: see `free_sentinels`.
        """
        self._kind = kind
        self._special = _HTML_SPECIAL if kind == "html" else _XML_SPECIAL
        self._free = iter(sentinels)
        self._texts: list[str] = []
        self._length = 0
        self._spelt_as: dict[int, str] = {}
        """Spellings of characters that are not written as themselves, by offset."""
        self._sentinels: set[int] = set()
        self._tags: list[MarkupToken] = []
        self._positions: list[int] = []

    def add(self, token: MarkupToken, *, is_word: bool) -> None:
        """Appends text or a tag; with `is_word`, an element that takes the place of a word."""
        if is_word:
            self._add_sentinel(token)
        elif token.kind is None:
            self._add_text(token.text)
        else:
            self._add_tag(token)

    def build(self) -> list[str | Passage]:
        """The passage, between the white space and the tags around it."""
        text = self._with_sentinels("".join(self._texts))
        if text is None or not any(
            not c.isspace() for i, c in enumerate(text) if i not in self._sentinels
        ):
            text = "".join(self._texts)
            return [self._written(text, 0, len(text), 0, len(self._tags))]
        partners = pair_tags(self._tags)
        first, last = self._inner_tags(text, partners)
        start = self._positions[first] if first < last else len(text)
        start = min(start, len(text) - len(text.lstrip()))
        end = self._positions[last - 1] if first < last else 0
        end = max(end, len(text.rstrip()))
        passage = Passage(
            text=text[start:end],
            tags=tuple(self._inner_tag(i, partners[i], first, start) for i in range(first, last)),
            spellings=self._spellings(text, start, end),
            sentinels="".join(text[i] for i in sorted(self._sentinels)),
        )
        before = self._written(text, 0, start, 0, first)
        return [before, passage, self._written(text, end, len(text), last, len(self._tags))]

    def _with_sentinels(self, text: str) -> str | None:
        """Replaces `&` and `<` that would be read as markup by sentinels.

        For example a tag cut off at the end of the document, or `&` and `amp;` with a tag between.

        Returns:
            None if there are not enough sentinels.
        """
        characters = list(text)
        for match in _SIGN.finditer(text):
            offset = match.start()
            if offset in self._spelt_as or not reads_as_markup(text, offset):
                continue
            sentinel = next(self._free, None)
            if sentinel is None:
                return None
            characters[offset] = sentinel
            self._spelt_as[offset] = text[offset]
            self._sentinels.add(offset)
        return "".join(characters)

    def _add_text(self, text: str) -> None:
        done = 0
        while match := self._special.search(text, done):
            self._add_plain(text[done : match.start()])
            done = self._add_special(text, match)
        self._add_plain(text[done:])

    def _add_special(self, text: str, match: re.Match[str]) -> int:
        """Adds white space or a character reference; returns its end."""
        written = match.group()
        if written[0] != "&":
            self._add_character(" ", written)
            return match.end()
        reference = read_reference(text, match.start(), self._kind)
        if reference is None:
            self._add_plain("&")
            return match.end()
        token = MarkupToken(kind="single", text=reference.text)
        if reference.is_unseen:
            self._add_tag(token)
        elif reference.character:
            self._add_character(reference.character, reference.text)
        else:
            self._add_sentinel(token)
        return match.start() + len(reference.text)

    def _add_plain(self, text: str) -> None:
        self._texts.append(text)
        self._length += len(text)

    def _add_character(self, character: str, spelling: str) -> None:
        self._spelt_as[self._length] = spelling
        self._add_plain(character)

    def _add_sentinel(self, token: MarkupToken) -> None:
        character = next(self._free, None)
        if character is None:
            self._add_tag(token)
            return
        self._sentinels.add(self._length)
        self._add_character(character, token.text)

    def _add_tag(self, token: MarkupToken) -> None:
        self._tags.append(token)
        self._positions.append(self._length)

    def _inner_tags(self, text: str, partners: list[int | None]) -> tuple[int, int]:
        """Range of the tags inside the passage; tags around all of it are outside."""
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        num_tags = len(self._tags)
        num_leading = sum(position <= start for position in self._positions)
        first_trailing = num_tags - sum(position >= end for position in self._positions)
        middle = range(num_leading, first_trailing)
        first = next((i for i in range(num_leading) if partners[i] in middle), num_leading)
        trailing = range(num_tags - 1, first_trailing - 1, -1)
        last = next((i + 1 for i in trailing if partners[i] in middle), first_trailing)
        return first, last

    def _inner_tag(self, index: int, partner: int | None, first: int, start: int) -> Tag:
        token = self._tags[index]
        return Tag(
            position=self._positions[index] - start,
            text=token.text,
            kind=token.kind or "single",
            partner=None if partner is None else partner - first,
        )

    def _spellings(self, text: str, start: int, end: int) -> dict[str, tuple[str, ...]]:
        special = {text[i] for i in self._spelt_as if start <= i < end} | _ALWAYS_RECORDED
        spellings: dict[str, list[str]] = {}
        for offset in range(start, end):
            if text[offset] in special:
                spelling = self._spelt_as.get(offset, text[offset])
                spellings.setdefault(text[offset], []).append(spelling)
        return {character: tuple(written) for character, written in spellings.items()}

    def _written(self, text: str, start: int, end: int, first: int, last: int) -> str:
        """A part of the source as written, tags included."""
        pieces: list[str] = []
        for index in range(first, last):
            position = self._positions[index]
            pieces.extend(self._spelt_as.get(i, text[i]) for i in range(start, position))
            pieces.append(self._tags[index].text)
            start = position
        pieces.extend(self._spelt_as.get(i, text[i]) for i in range(start, end))
        return "".join(pieces)


def pair_tags(tags: Sequence[MarkupToken]) -> list[int | None]:
    """The index of the matching tag of each tag; None: single, or unmatched.

    Pairs are nested: of two that cross, the one that ends first is a pair, and the tags of the
    other are unmatched.
    """
    partners: list[int | None] = [None] * len(tags)
    stack: list[int] = []
    num_open: dict[str, int] = {}
    for index, tag in enumerate(tags):
        if tag.kind == "open":
            stack.append(index)
            num_open[tag.name] = num_open.get(tag.name, 0) + 1
        elif tag.kind == "close" and num_open.get(tag.name):
            while tags[stack[-1]].name != tag.name:
                num_open[tags[stack.pop()].name] -= 1
            start = stack.pop()
            num_open[tag.name] -= 1
            partners[start], partners[index] = index, start
    return partners


def free_sentinels(text: str) -> Sequence[str]:
    """The private-use characters that do not occur in `text`."""
    used = _IS_SENTINEL.intersection(text)
    return [each for each in _SENTINELS if each not in used] if used else _SENTINELS
