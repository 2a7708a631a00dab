"""Puts a marked-up document together again."""

from collections.abc import Iterable, Iterator

from service.text.character_reference import reads_as_markup
from service.text.passage import Passage

_ESCAPES = {"&": "&amp;", "<": "&lt;"}


def write_markup(parts: Iterable[str | Passage]) -> str:
    """The document; with the passages as they were read, exactly what was read."""
    return "".join(
        piece
        for part in parts
        for piece in ([part] if isinstance(part, str) else _write_passage(part))
    )


def _write_passage(passage: Passage) -> Iterator[str]:
    """Text and tags in turn.

    The n-th time that a character comes, it is spelt as it was the n-th time in the source. What
    comes more often is spelt as the source always did, or plainly; never so that it becomes
    markup.
    """
    spellings = {character: iter(each) for character, each in passage.spellings.items()}
    done = 0
    for tag in passage.tags:
        yield from _write_text(passage, done, tag.position, spellings)
        yield tag.text
        done = tag.position
    yield from _write_text(passage, done, len(passage.text), spellings)


def _write_text(
    passage: Passage, start: int, end: int, spellings: dict[str, Iterator[str]]
) -> Iterator[str]:
    for offset in range(start, end):
        character = passage.text[offset]
        if character not in spellings and character not in _ESCAPES:
            yield character
            continue
        spelling = next(spellings.get(character, iter(())), None)
        if spelling is None:
            spelling = _further_spelling(character, passage.spellings.get(character, ()))
        if spelling in _ESCAPES and reads_as_markup(passage.text, offset):
            spelling = _ESCAPES[spelling]
        yield spelling


def _further_spelling(character: str, spellings: tuple[str, ...]) -> str:
    is_always_the_same = len(set(spellings)) == 1 and not character.isspace()
    if is_always_the_same and spellings[0] != character:
        return spellings[0]
    return _ESCAPES.get(character, character)
