"""Reads the running text of HTML and XML, and writes it back; the rest stays byte for byte."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby, repeat

from service.text.markup.passage import MarkupOptions, Passage
from service.text.markup.passage_builder import PassageBuilder, free_sentinels
from service.text.markup.references import reads_as_markup
from service.text.markup.structure import find_separators, merge_untranslated
from service.text.markup.tokenizer import read_tokens

_ESCAPES = {"&": "&amp;", "<": "&lt;"}


def read_markup(text: str, options: MarkupOptions) -> list[str | Passage]:
    """Splits a document into passages and the markup between them; see `write_markup`.

    A passage is the text between two block elements, without the white space and the tags around
    it. In HTML, white space within a passage is one space, as in a browser, so that a line break
    does not split a sentence. Not translated are attributes (also `title`, `alt`, `placeholder`
    and `aria-label`), comments, declarations, CDATA, instructions, `options.ignore_tags`, elements
    with `translate="no"` or the class `notranslate`, and in HTML the elements that hold no prose
    (`<script>`, `<pre>`, `<code>`, ...). Broken markup is not an error: an unfinished tag is text,
    an unclosed one a lone tag.
    """
    tokens, words = merge_untranslated(list(read_tokens(text, options.kind)), options)
    separators = find_separators(tokens, options)
    sentinels = free_sentinels(text)
    parts: list[str | Passage] = []
    builder = PassageBuilder(options.kind, sentinels)
    for index, token in enumerate(tokens):
        if index in separators:
            parts += [*builder.build(), token.text]
            builder = PassageBuilder(options.kind, sentinels)
        else:
            builder.add(token, is_word=index in words)
    return _joined([*parts, *builder.build()])


def write_markup(parts: Iterable[str | Passage]) -> str:
    """Joins parts to a document; unchanged parts give exactly the document that was read."""
    return "".join(
        piece
        for part in parts
        for piece in ([part] if isinstance(part, str) else _write_passage(part))
    )


def _joined(parts: Iterable[str | Passage]) -> list[str | Passage]:
    joined: list[str | Passage] = []
    for is_text, group in groupby(parts, lambda part: isinstance(part, str)):
        if is_text:
            written = "".join(part for part in group if isinstance(part, str))
            joined += [written] if written else []
        else:
            joined += group
    return joined


def _write_passage(passage: Passage) -> Iterator[str]:
    """Yields text and tags in turn.

    The n-th occurrence of a character is spelt like its n-th occurrence in the source. Further
    occurrences are spelt as in the source if that has one spelling, else plainly; never so that
    they read as markup.
    """
    spellings = {
        character: chain(passage.spellings.get(character, ()), repeat(_further(character, passage)))
        for character in {*passage.spellings, *_ESCAPES}
    }
    done = 0
    for tag in passage.tags:
        yield from _write_text(passage, done, tag.position, spellings)
        yield tag.text
        done = tag.position
    yield from _write_text(passage, done, len(passage.text), spellings)


def _write_text(
    passage: Passage, start: int, end: int, spellings: Mapping[str, Iterator[str]]
) -> Iterator[str]:
    for offset in range(start, end):
        character = passage.text[offset]
        if character not in spellings:
            yield character
            continue
        spelling = next(spellings[character])
        if spelling in _ESCAPES and reads_as_markup(passage.text, offset):
            spelling = _ESCAPES[spelling]
        yield spelling


def _further(character: str, passage: Passage) -> str:
    """How to spell a character that occurs more often than in the source."""
    spellings = passage.spellings.get(character, ())
    is_always_the_same = len(set(spellings)) == 1 and not character.isspace()
    if is_always_the_same and spellings[0] != character:
        return spellings[0]
    return _ESCAPES.get(character, character)
