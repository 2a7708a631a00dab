"""`.html`: the text between block elements, texts in attributes; all markup is kept."""

from collections.abc import Iterator
from dataclasses import replace

from service.documents.document import Document, DocumentString, LanguageCode, Part, TaggedString
from service.documents.encoding import decode
from service.text.markup.attributes import Attribute, find_attributes, replace_values
from service.text.markup.document import read_markup, write_markup
from service.text.markup.passage import MarkupOptions

_TEXTS = frozenset(["alt", "aria-label", "placeholder", "title"])
_LANGUAGES = frozenset(["lang", "xml:lang"])
_ROOT = "html"


def read(data: bytes) -> Document:
    """Parse an HTML file.

    Raises:
        DocumentError: The file is not text.
    """
    text, encoding = decode(data, may_declare=True)
    return Document(parts=tuple(_parts(text)), encoding=replace(encoding, has_references=True))


def _parts(text: str) -> Iterator[Part]:
    """Each passage as HTML, with its inline tags and entities."""
    for part in read_markup(text, MarkupOptions(kind="html")):
        if isinstance(part, str):
            yield from _between(part)
        else:
            yield _passage(write_markup([part]))


def _between(markup: str) -> Iterator[Part]:
    """The markup between passages, with the texts and the language in its tags."""
    done = 0
    for attribute in find_attributes(markup, _TEXTS | _LANGUAGES):
        if attribute.name in _TEXTS and _has_letters(attribute.value):
            found: Part = _text_of(attribute)
        elif attribute.name in _LANGUAGES and attribute.element == _ROOT:
            found = LanguageCode(original=attribute.spelling, render=attribute.spelt)
        else:
            continue
        yield markup[done : attribute.start]
        yield found
        done = attribute.end
    yield markup[done:]


def _passage(text: str) -> DocumentString | TaggedString:
    string = DocumentString(text=text, original=text, format="html")
    texts = {
        attribute.spelling: _text_of(attribute)
        for attribute in find_attributes(text, _TEXTS)
        if _has_letters(attribute.value)
    }
    if not texts:
        return string
    return TaggedString(
        string=string,
        in_tags=tuple(texts.values()),
        insert=lambda translation, values: replace_values(translation, _TEXTS, values),
    )


def _text_of(attribute: Attribute) -> DocumentString:
    return DocumentString(text=attribute.value, original=attribute.spelling, render=attribute.spelt)


def _has_letters(value: str) -> bool:
    return any(character.isalpha() for character in value)
