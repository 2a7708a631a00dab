"""Texts through the tiny model: what a translation keeps whatever it says."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest

from service.errors import InvalidRequestError
from service.inspection.values import AttentionRequest, AttentionSelection, InspectedPair
from service.text.invisible import visible_part
from service.text.markup.passage import MarkupOptions
from service.text.masking.glossary import GlossaryEntry
from service.translation.text_limits import TextLimits
from service.translation.translator import Translator
from service.translation.values import StreamedSentence, TranslateRequest, Translation
from tests.data.toy_language import sentence_pairs
from tests.service.tiny_models import Running, running

HTML = MarkupOptions(kind="html")
SENTENCES = [source[0].upper() + source[1:] for source, _ in sentence_pairs(40, seed=7)]
FIRST, SECOND, THIRD = SENTENCES[:3]


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


def request_of(service: Running, *texts: str, **fields: object) -> TranslateRequest:
    pair = service.pair
    return TranslateRequest(texts=texts, source=pair.source, target=pair.target, **fields)  # type: ignore[arg-type]


def translate(service: Running, text: str, **fields: object) -> Translation:
    request = request_of(service, text, **fields)
    return asyncio.run(service.translator.translate(request)).translations[0]


@pytest.mark.parametrize(
    "placeholder", ["{name}", "%1$d", "https://example.com/x", "`a b`", "5 km"]
)
def test_a_placeholder_is_there_exactly_once_and_the_details_say_so(
    service: Running, placeholder: str
) -> None:
    words = FIRST.split()
    text = " ".join([*words[:2], placeholder, *words[2:]])
    found = translate(service, text)
    assert found.text.count(placeholder) == 1
    assert all(sentence.placeholders_ok for sentence in found.sentences)


def test_a_term_is_enforced(service: Running) -> None:
    word = max(re.findall(r"\w+", FIRST), key=len)
    entry = GlossaryEntry(source=word, target="Wanted Term")
    assert translate(service, FIRST, glossary=(entry,)).text.count("Wanted Term") == 1


def test_contradictory_terms_are_refused(service: Running) -> None:
    entries = (GlossaryEntry(source="a", target="b"), GlossaryEntry(source="A", target="c"))
    with pytest.raises(InvalidRequestError, match="two targets for 'A'"):
        translate(service, FIRST, glossary=entries)


def test_tags_come_back_each_once_and_nested(service: Running) -> None:
    words = FIRST.split()
    text = (
        f"<p><b>{words[0]} <i>{words[1]}</i></b> {' '.join(words[2:])}</p>\n<hr>\n<p>{SECOND}</p>"
    )
    found = translate(service, text, markup=HTML)
    tags = re.findall(r"<[^>]*>", found.text)
    assert tags == ["<p>", "<b>", "<i>", "</i>", "</b>", "</p>", "<hr>", "<p>", "</p>"]
    assert translate(service, SECOND).text in found.text


def test_what_html_does_not_show_is_untouched(service: Running) -> None:
    code = "<script>if (a < b) { run() }</script>"
    found = translate(service, f"{code}<p>{FIRST}</p><pre>\n keep  this\n</pre>", markup=HTML)
    assert found.text.startswith(code)
    assert found.text.endswith("<pre>\n keep  this\n</pre>")


def test_capitals_come_back_as_capitals_and_the_details_say_so(service: Running) -> None:
    found = translate(service, FIRST.upper())
    assert found.text == found.text.upper()
    assert [sentence.case for sentence in found.sentences] == ["capitals"]


def test_unwrapped_lines_are_one_sentence_whose_span_is_that_of_all_lines(
    service: Running,
) -> None:
    words = (FIRST.rstrip(".!?") + " " + SECOND).split()
    half = len(words) // 2
    text = f"{' '.join(words[:half])}\n{' '.join(words[half:])}"
    found = translate(service, text, unwrap=True)
    assert "\n" not in found.text
    assert found.sentences[-1].source_span[1] == len(text)


def test_words_are_aligned_where_that_is_asked_for(service: Running) -> None:
    found = translate(service, FIRST, with_alignment=True)
    (sentence,) = found.sentences
    assert sentence.alignment
    for link in sentence.alignment:
        assert sentence.source[slice(*link.source)].strip()
        assert sentence.translation[slice(*link.target)].strip()
        assert 0 <= link.weight <= 1
    assert translate(service, FIRST).sentences[0].alignment is None


def test_spans_are_those_of_the_translation(service: Running) -> None:
    text = f"  - {FIRST}\r\n\r\n42\n{SECOND} {THIRD}"
    found = translate(service, text)
    for sentence in found.sentences:
        assert text[slice(*sentence.source_span)] == sentence.source
        assert found.text[slice(*sentence.target_span)] == sentence.translation


def test_texts_in_auto_say_what_they_were_taken_for(service: Running) -> None:
    pair = service.pair
    request = TranslateRequest(texts=(FIRST, "42"), source="auto", target=pair.target)
    found = asyncio.run(service.translator.translate(request)).translations
    assert [t.detected.language for t in found if t.detected] == [pair.source] * 2
    assert found[1].text == "42"


def test_a_text_in_the_target_language_comes_back_as_it_is(service: Running) -> None:
    texts = ("Das Haus ist sehr alt.", "The house is very old.")
    request = TranslateRequest(texts=texts, source="auto", target=service.pair.target)
    found = asyncio.run(service.translator.translate(request)).translations
    assert found[0].text == texts[0]
    assert found[0].sentences == ()
    assert found[1].text != texts[1]


def test_a_stream_says_what_each_text_was_taken_for(service: Running) -> None:
    async def languages(text: str) -> set[tuple[str, str]]:
        request = TranslateRequest(texts=(text,), source="auto", target=service.pair.target)
        parts = [part async for part in service.translator.stream(request)]
        assert parts
        return {(part.detected.language, part.text) for part in parts if part.detected}

    text = "Das Haus ist sehr alt."
    assert asyncio.run(languages(text)) == {(service.pair.target, text)}
    ((language, _),) = asyncio.run(languages("The house is very old."))
    assert language == service.pair.source


async def collected(parts: AsyncIterator[StreamedSentence]) -> list[StreamedSentence]:
    return [part async for part in parts]


@pytest.mark.parametrize("markup", [None, HTML])
def test_a_stream_joined_is_the_translation(service: Running, markup: MarkupOptions | None) -> None:
    paragraphs = [f"<p>{sentence}</p>" if markup else sentence for sentence in SENTENCES]
    long = "\n".join(paragraphs)
    request = request_of(service, long, "42", f"\n{FIRST}\n", markup=markup)
    parts = asyncio.run(collected(service.translator.stream(request)))
    whole = asyncio.run(service.translator.translate(request)).translations
    assert [part.text_index for part in parts] == sorted(part.text_index for part in parts)
    for index, translation in enumerate(whole):
        own = [part for part in parts if part.text_index == index]
        assert "".join(part.text for part in own) == translation.text
        spans = [(s.source_span, s.target_span) for part in own for s in part.sentences]
        assert spans == [(s.source_span, s.target_span) for s in translation.sentences]
    if markup is None:
        assert len([part for part in parts if part.text_index == 0]) == len(SENTENCES)
        assert all(len(part.sentences) <= 1 for part in parts)


def test_a_stream_has_no_alternatives(service: Running) -> None:
    request = request_of(service, FIRST, num_alternatives=1)
    with pytest.raises(InvalidRequestError, match="stream"):
        asyncio.run(collected(service.translator.stream(request)))


@pytest.mark.parametrize("markup", [None, HTML])
def test_a_no_break_space_is_one_space_to_the_model_and_comes_back(
    service: Running, markup: MarkupOptions | None
) -> None:
    words = FIRST.split()
    text = f"{' '.join(words[:-1])}\xa0{words[-1]}"
    found = translate(service, text, markup=markup)
    assert found.text.replace("\xa0", " ") == translate(service, FIRST).text
    assert found.text.count("\xa0") == 1


def test_more_fragments_than_allowed_are_refused_but_not_in_a_file(service: Running) -> None:
    text = " ".join(f"{{v{number}}} {word}" for number, word in enumerate(FIRST.split()))
    limits = TextLimits(max_fragments=2)
    translator = Translator(service.registry, service.metrics, limits=limits)
    try:
        with pytest.raises(InvalidRequestError, match=r"fragments .*; the limit is 2: send them"):
            asyncio.run(translator.translate(request_of(service, text)))
        found = asyncio.run(translator.translate(request_of(service, text, is_bounded=False)))
    finally:
        translator.close()
    assert all(sentence.placeholders_ok for sentence in found.translations[0].sentences)


def test_invisible_characters_change_nothing_but_the_offsets_in_the_source(
    service: Running,
) -> None:
    words = FIRST.split()
    text = f"\ufeff{words[0][:1]}\u00ad{words[0][1:]}\u200b {' '.join(words[1:])}\u200f {SECOND}"
    plain, found = (
        translate(service, each, with_alignment=True, with_doubt=True)
        for each in (f"{FIRST} {SECOND}", text)
    )
    assert found.text == plain.text
    assert len(found.sentences) == len(plain.sentences)
    for shown, sentence in zip(found.sentences, plain.sentences, strict=True):
        assert text[slice(*shown.source_span)] == shown.source
        assert shown.source_tokens == sentence.source_tokens
        pairs = [
            [(s.source[slice(*link.source)], link.target) for link in s.alignment or ()]
            for s in (shown, sentence)
        ]
        assert [(visible_part(word).text, target) for word, target in pairs[0]] == pairs[1]
        checked = [
            [c.source_span and visible_part(s.source[slice(*c.source_span)]).text for c in s.checks]
            for s in (shown, sentence)
        ]
        assert checked[0] == checked[1]


def test_given_sentences_are_inspected_without_their_invisible_characters(
    service: Running,
) -> None:
    def inspected(text: str) -> InspectedPair:
        request = AttentionRequest(
            texts=(text,),
            translations=(f"\ufeff{SECOND}",),
            source=service.pair.source,
            target=service.pair.target,
            selection=AttentionSelection(),
        )
        (found,) = asyncio.run(service.translator.attention(request))
        return found

    text = f"\ufeff{FIRST[:1]}\u00ad{FIRST[1:]}"
    found, plain = inspected(text).sentences[0], inspected(FIRST).sentences[0]
    assert found.attention.source_tokens == plain.attention.source_tokens
    assert found.source == text
    assert [
        (visible_part(text[slice(*link.source)]).text, link.target) for link in found.links
    ] == [(FIRST[slice(*link.source)], link.target) for link in plain.links]
