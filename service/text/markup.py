"""Finds the running text in HTML and XML; everything else stays as it is, byte for byte."""

from collections.abc import Iterable
from itertools import groupby

from service.text.markup_options import MarkupOptions
from service.text.markup_structure import find_separators, merge_untranslated
from service.text.markup_token import read_tokens
from service.text.passage import Passage
from service.text.passage_builder import PassageBuilder


def read_markup(text: str, options: MarkupOptions) -> list[str | Passage]:
    """Take a document apart; `write_markup` puts it together again.

    Passages are what stands between block elements, without the white space and the tags around
    it. In HTML, white space within them is what a browser makes of it: one space, so that a line
    break cuts no sentence in two. Never translated are attributes (also `title`, `alt`,
    `placeholder` and `aria-label`), comments, declarations, CDATA, instructions, `options.
    ignore_tags`, what `translate="no"` or the class `notranslate` says, and in HTML the elements
    that hold no prose (`<script>`, `<pre>`, `<code>`, ...). Broken markup is no error: what ends
    nowhere is text or a lone tag.
    """
    tokens, words = merge_untranslated(list(read_tokens(text, options.kind)), options)
    separators = find_separators(tokens, options)
    used_characters = frozenset(text)
    parts: list[str | Passage] = []
    builder = PassageBuilder(options.kind, used_characters)
    for index, token in enumerate(tokens):
        if index in separators:
            parts += [*builder.build(), token.text]
            builder = PassageBuilder(options.kind, used_characters)
        else:
            builder.add(token, is_word=index in words)
    return _joined([*parts, *builder.build()])


def _joined(parts: Iterable[str | Passage]) -> list[str | Passage]:
    joined: list[str | Passage] = []
    for is_text, group in groupby(parts, lambda part: isinstance(part, str)):
        if is_text:
            written = "".join(part for part in group if isinstance(part, str))
            joined += [written] if written else []
        else:
            joined += group
    return joined
