"""What changes in an entry with a translation: places in its source, in one another or apart."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from service.documents.document import DocumentString, TextFormat
from service.documents.packages.xml_tree import Element, Span, XmlSource, escaped, escaped_value

Copy = Callable[[int, int], bytes]
"""The source from one place to another, with what changes in between."""


class Passage(Protocol):
    """A text with its inline markup."""

    @property
    def text(self) -> str:
        """For the translator."""

    @property
    def format(self) -> TextFormat:
        """Of `text`."""

    def render(self, translation: str, copy: Copy) -> bytes:
        """The translation in the syntax of the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place that holds a text to translate, or names the language of the document."""

    span: Span
    passage: Passage | None
    """None: the language."""
    is_new: bool = False
    """Whether the place differs from the source even if the translation does not."""
    render_language: Callable[[str], bytes | None] = lambda _: None
    """What names a language here; None if the place stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainText:
    """A text without inline markup."""

    text: str
    escape: Callable[[str], bytes]
    format: TextFormat = "text"

    def render(self, translation: str, copy: Copy) -> bytes:
        """The translation with the escapes of the place."""
        del copy
        return self.escape(translation)


class Slots:
    """Collects the slots of an entry."""

    def __init__(self, source: XmlSource) -> None:
        self.source = source
        self._slots: list[Slot] = []

    def add(self, span: Span, passage: Passage, *, is_new: bool = False) -> None:
        """Translate the passage at a place, which is a new one if it holds no such text yet."""
        self._slots.append(Slot(span=span, passage=passage, is_new=is_new))

    def add_text(self, element: Element | None) -> None:
        """Translate the text of an element that has no markup."""
        if element is None or element.children or element.close_start == element.open_end:
            return
        text = self.source.text_of(element)
        if is_translatable(text):
            span = (element.open_end, element.close_start)
            self.add(span, PlainText(text=text, escape=escaped))

    def add_attributes(self, element: Element, *names: str) -> None:
        """Translate the values of attributes."""
        found = [name for name in names if is_translatable(element.attributes.get(name, ""))]
        spans = self.source.attribute_spans(element) if found else {}
        for name in found:
            if name in spans:
                text = element.attributes[name]
                self.add(spans[name], PlainText(text=text, escape=escaped_value))

    def add_language(self, span: Span, render: Callable[[str], bytes | None] | None = None) -> None:
        """Name the language of the translation at a place."""
        self._slots.append(Slot(span=span, passage=None, render_language=render or escaped_value))

    def build(self) -> "XmlPart":
        """The entry with these slots, in the order of the source."""
        slots = sorted(self._slots, key=lambda slot: (slot.span[0], -slot.span[1]))
        return XmlPart(self.source, slots)


class XmlPart:
    """An entry of an archive with what is translated in it."""

    def __init__(self, source: XmlSource, slots: Sequence[Slot]) -> None:
        self._source = source
        self._slots = slots
        self._starts = [slot.span[0] for slot in slots]

    def iter_strings(self) -> Iterator[DocumentString]:
        """The strings to translate, in order."""
        for slot in self._slots:
            if slot.passage:
                text = slot.passage.text
                yield DocumentString(text=text, original=text, format=slot.passage.format)

    def write(self, translations: Iterator[str], language: str) -> bytes:
        """The entry with the next translations, one for each string.

        Args:
            translations: As many are taken as there are strings.
            language: BCP-47 code of the translation; empty: languages stay as they are.
        """
        contents: list[str | None] = []
        for slot in self._slots:
            translation = next(translations) if slot.passage else None
            is_same = slot.passage is not None and translation == slot.passage.text
            contents.append(None if is_same and not slot.is_new else translation)
        copy = partial(self._copied, contents, language)
        return self._source.encode(copy(0, len(self._source.data)))

    def _copied(self, contents: Sequence[str | None], language: str, start: int, end: int) -> bytes:
        copy = partial(self._copied, contents, language)
        written, position = [], start
        index = bisect_left(self._starts, start)
        while index < len(self._slots) and self._starts[index] < end:
            slot, content = self._slots[index], contents[index]
            index += 1
            if slot.span[0] < position or slot.span[1] > end:
                continue
            new = self._rendered(slot, content, language, copy)
            if new is None:
                continue
            written += [self._source.raw((position, slot.span[0])), new]
            position = slot.span[1]
            index = max(index, bisect_left(self._starts, position))
        return b"".join([*written, self._source.raw((position, end))])

    def _rendered(self, slot: Slot, content: str | None, language: str, copy: Copy) -> bytes | None:
        if slot.passage is None:
            return slot.render_language(language) if language else None
        return None if content is None else slot.passage.render(content, copy)


def is_translatable(text: str) -> bool:
    """Whether a text has letters."""
    return any(character.isalpha() for character in text)
