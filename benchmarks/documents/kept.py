"""What a translation keeps of a document, counted."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.documents.content import Content, collapsed

_PARTS = {
    "formatted stretches": "looks",
    "links": "links",
    "images": "images",
    "code as it was": "code",
    "elements": "elements",
    "packing, encoding, line ends": "packing",
}
"""Properties that are counters, and the fields of `Content` that have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One property of one document."""

    name: str
    asked: int
    kept: int


def kept_of(
    before: Content, after: Content | None, translation_of: Mapping[str, str], target: str
) -> list[Kept]:
    """Compare a document with its translation.

    Args:
        before: The source.
        after: The translation; None if there is none, or it cannot be read.
        translation_of: Each text of the source as it is translated alone.
        target: Language of the translation.
    """
    after = after or Content()
    found = [_opened(after)]
    for place, texts in before.texts.items():
        expected = [translation_of[text] for text in texts]
        here = after.texts.get(place, [])
        found += _texts(place, texts, expected, here)
    for name, field in _PARTS.items():
        old, new = getattr(before, field), getattr(after, field)
        found.append(Kept(name=name, asked=old.total(), kept=(old & new).total()))
    same = sum(after.files.get(name) == data for name, data in before.files.items())
    found.append(Kept(name="media and fonts byte for byte", asked=len(before.files), kept=same))
    found.append(_language(before, after, target))
    return [each for each in found if each.asked]


def _opened(after: Content) -> Kept:
    return Kept(name="opens again", asked=1, kept=int(bool(after.elements) and not after.faults))


def _language(before: Content, after: Content, target: str) -> Kept:
    asked = int(bool(before.languages))
    return Kept(
        name="language of the document named", asked=asked, kept=int(target in after.languages)
    )


def _texts(place: str, before: list[str], expected: list[str], after: list[str]) -> list[Kept]:
    """What is no longer in the source language, and what is as one text would be translated."""
    changed = Counter(
        collapsed(old) for old, new in zip(before, expected, strict=True)
        if collapsed(old) != collapsed(new)
    )  # fmt: skip
    left = changed & Counter(map(collapsed, after))
    found = Counter(map(collapsed, expected)) & Counter(map(collapsed, after))
    num_translated = changed.total() - left.total() if after else 0
    return [
        Kept(name=f"{place}: translated", asked=changed.total(), kept=num_translated),
        Kept(name=f"{place}: translated as one text", asked=len(before), kept=found.total()),
    ]


def kept_of_pages(
    before: Content,
    known: tuple[str, ...],
    after: Content | None,
    translation_of: Mapping[str, str],
) -> list[Kept]:
    """Compare a PDF with its translation, which may be a web page: texts are looked for in it.

    Pages of a web page are its sections for them; links must have a text, images a source.
    """
    whole = (
        collapsed(" ".join(text for texts in after.texts.values() for text in texts))
        if after
        else ""
    )
    after = after or Content()
    found = sum(collapsed(translation_of[text]) in whole for text in known)
    changed = [text for text in known if collapsed(translation_of[text]) != collapsed(text)]
    gone = sum(bool(whole) and collapsed(text) not in whole for text in changed)
    of_pages = [
        ("opens again", 1, int(bool(after.elements))),
        ("translated", len(changed), gone),
        ("translated as one text", len(known), found),
        ("pages", before.elements["page"], after.elements["page"]),
        ("images", before.images.total(), after.images.total()),
        ("links", before.links.total(), after.links.total()),
    ]
    return [
        Kept(name=f"PDF: {name}", asked=asked, kept=min(asked, kept))
        for name, asked, kept in of_pages
        if asked
    ]


Reader = Callable[[bytes], Content]
