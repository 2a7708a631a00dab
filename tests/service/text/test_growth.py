"""Twice the text is at most about twice the work, whatever the text."""

from collections.abc import Callable

import pytest

from bundle.manifest import LanguagePair
from service.text.markup.document import read_markup, write_markup
from service.text.markup.passage import MarkupOptions, Passage
from service.text.masking.casing import recase
from service.text.masking.glossary import Glossary, GlossaryEntry
from service.text.masking.inflection import find_forms, find_terms
from service.text.masking.longest_terms import LongestTerms
from service.text.masking.placeholders import find_placeholders
from service.text.masking.protected import Protected, keeps_all
from service.translation.sentences.source_text import ReadOptions, TextReader
from service.translation.sentences.target_text import (
    Postprocessed,
    TranslatedSentence,
    assemble_all,
)
from tests.service.growth import assert_linear
from tests.service.tiny_models import tiny_bundle

BUNDLE = tiny_bundle()
PAIR: LanguagePair = BUNDLE.manifest.pairs[0]
TERMS = tuple(
    GlossaryEntry(source=" ".join(["a"] * count) + " b", target="c") for count in range(1, 98)
)

TEXTS = {
    "words": "a ",
    "one letter": "a",
    "capitals": "THE DOG ",
    "title": "The And Of ",
    "sentences": "A b. ",
    "stops": ". ",
    "lines": "ab\n",
    "line breaks": "\r\n\n\r",
    "tabs": "a\t",
    "no-break spaces": "a\u00a0",
    "zero width": "a\u200b\u200d",
    "joiners": "\u200d",
    "combining marks": "a\u0301\u0323\u0308",
    "marks alone": "\u0301",
    "emoji": "\U0001f600a ",
    "flags": "\U0001f1e9\U0001f1ea\U0001f3f4\U000e0067",
    "mixed scripts": "a\u0430\u03b1\u6f22\u0639 ",
    "foreign words": "\u6f22a",
    "wide stops": "\u6f22\u3002",
    "right to left": "\u0639\u202ea ",
    "private use": "\ue000a",
    "no character": "\ufffd",
    "digits": "1",
    "hexadecimal": "abc123",
    "hyphens": "--",
    "quotes": '"a \u201e',
    "brackets": "([{",
    "templates": "{{a",
    "plurals": "{a, plural, {",
    "placeholders": "%s ",
    "backticks": "`a``",
    "backslashes": "\\",
    "addresses": "http://a.b/c?d ",
    "paths": "a/",
    "names": "a.",
    "e-mail": "a@",
    "handles": "#a @b ",
    "list items": "1) ",
    "dotted capital": "\u0130 ",
}
MARKUP = {
    "unfinished tags": "<a",
    "unclosed quotes": '<a b="',
    "unclosed elements": "<b>a ",
    "unopened elements": "</b>a ",
    "unclosed attributes": "<a b=c ",
    "slashes": "<a /",
    "paragraphs": "<p>a",
    "inline": "<i>a</i> b ",
    "code": "<code>a</code> b ",
    "unclosed code": "<code>a ",
    "untranslated": "<b translate=no>a</b> ",
    "comments": "<!--",
    "instructions": "<?",
    "declarations": "<!a[",
    "sections": "<![CDATA[",
    "titles": "<title>a",
    "scripts": "<script>a</script>",
    "ampersands": "&",
    "references": "&lt;a ",
    "numbers": "&#1;&#xa0;",
    "unfinished references": "&amp",
    "legacy references": "&copya",
    "signs": "&amp;lt; <a",
}


def repeated(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def nested(size: int) -> str:
    """Elements in elements."""
    return "<b>" * (size // 8) + "a" + "</b>" * (size // 8)


def crossing(size: int) -> str:
    """Elements that end in the order in which they began."""
    names = [f"x{number}" for number in range(size // 14)]
    return "".join(f"<{name}>a" for name in names) + "".join(f"</{name}>" for name in names)


def through(options: ReadOptions, text: str) -> Callable[[], object]:
    """Reads a text and assembles a translation of it: sentences in other words."""

    def work() -> object:
        read = TextReader(BUNDLE, PAIR, options).read((text,))
        translated = [
            TranslatedSentence(
                source=sentence,
                best=Postprocessed(text=sentence.segment.text[::-1] if sentence.source_ids else ""),
            )
            for sentence in read.sentences
        ]
        return assemble_all(read, translated, 3)

    return work


@pytest.mark.parametrize("name", TEXTS)
def test_plain_text(name: str) -> None:
    assert_linear(lambda size: through(ReadOptions(), repeated(TEXTS[name], size)), 3_000)


@pytest.mark.parametrize("kind", ["html", "xml"])
@pytest.mark.parametrize("name", MARKUP)
def test_markup(name: str, kind: str) -> None:
    options = ReadOptions(markup=MarkupOptions(kind="html" if kind == "html" else "xml"))
    # From here on a sentence of one character for each is too long to be tokenised whole.
    size = 9_000 if name == "unfinished references" else 3_000
    assert_linear(lambda size: through(options, repeated(MARKUP[name], size)), size)


@pytest.mark.parametrize("grown", [nested, crossing])
def test_nested_markup(grown: Callable[[int], str]) -> None:
    options = ReadOptions(markup=MarkupOptions(), with_alignment=True)
    assert_linear(lambda size: through(options, grown(size)), 6_000)


@pytest.mark.parametrize("name", ["lines", "line breaks", "list items", "hyphens", "tabs"])
def test_hard_wrapped_text(name: str) -> None:
    options = ReadOptions(unwrap=True)
    assert_linear(lambda size: through(options, repeated(TEXTS[name], size)), 3_000)


@pytest.mark.parametrize("name", ["words", "names", "lines", "mixed scripts"])
def test_text_with_a_glossary(name: str) -> None:
    options = ReadOptions(glossary=TERMS)
    assert_linear(lambda size: through(options, repeated(TEXTS[name], size)), 3_000)


def test_search_for_terms_costs_the_same_for_any_terms() -> None:
    words = ["a"] * 20_000

    def work(size: int) -> Callable[[], object]:
        terms = LongestTerms(("a",) * count + ("b",) for count in range(1, min(size, 16_000) // 80))
        return lambda: terms.lengths(words)

    assert_linear(work, 4_000)


def test_look_for_many_forms_of_terms_in_a_translation() -> None:
    def work(size: int) -> Callable[[], object]:
        words = [f"word{'abc'[number % 3]}" for number in range(size)]
        terms = [GlossaryEntry(source="x", target=f"{word}{n % 7}") for n, word in enumerate(words)]
        same = [GlossaryEntry(source="x", target=word) for word in words]
        text = " ".join(words)
        return lambda: (find_forms(terms, text), find_forms(same, text), find_terms(terms, text))

    assert_linear(work, 500)


def test_glossary_is_built_in_time_linear_in_its_words() -> None:
    def work(size: int) -> Callable[[], object]:
        entries = [
            GlossaryEntry(source="!" * 100 + f"{number}", target="x") for number in range(size)
        ]
        return lambda: Glossary(entries).find("a")

    assert_linear(work, 45)


def test_placeholders_of_a_long_text() -> None:
    assert_linear(lambda size: lambda: find_placeholders("--" * size + "{a}", "en"), 20_000)


def test_look_for_many_placeholders_in_a_translation() -> None:
    def work(size: int) -> Callable[[], object]:
        names = [f"{{a{number:06}}}" for number in range(size)]
        protected = [Protected(start=0, end=9, replacement=name) for name in names]
        return lambda: (
            keeps_all(" ".join(names), protected),
            recase("a " + " b ".join(names), "capitals", "en", names),
        )

    assert_linear(work, 2_000)


def test_spellings_of_a_character_that_occurs_more_often_than_in_the_source() -> None:
    def work(size: int) -> Callable[[], object]:
        (passage,) = (
            part for part in read_markup("a&lt;" * size, MarkupOptions()) if type(part) is Passage
        )
        target = Passage(text="<" * 3 * size, spellings=passage.spellings)
        return lambda: write_markup([target])

    assert_linear(work, 5_000)


def test_passages_where_most_sentinels_are_taken() -> None:
    def work(size: int) -> Callable[[], object]:
        taken = "".join(map(chr, range(0xE000, 0xF000)))
        return lambda: read_markup(taken + "<p>&</b>amp;a" * size, MarkupOptions())

    assert_linear(work, 500)
