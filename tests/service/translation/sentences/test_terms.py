"""Glossary terms in a translation: written by the model, or enforced."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from service.text.masking.glossary import GlossaryEntry
from service.translation.values import TranslateRequest, Translation, UsedTerm
from tests.data.toy_language import sentence_pairs
from tests.service.tiny_models import Running, running

SENTENCES = [source[0].upper() + source[1:] for source, _ in sentence_pairs(40, seed=7)]
FIRST, SECOND = SENTENCES[:2]


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


def translate(service: Running, *texts: str, **fields: object) -> list[Translation]:
    pair = service.pair
    request = TranslateRequest(texts=texts, source=pair.source, target=pair.target, **fields)  # type: ignore[arg-type]
    return list(asyncio.run(service.translator.translate(request)).translations)


def longest(text: str) -> str:
    return max((found.group() for found in re.finditer(r"\w+", text)), key=len)


def terms_of(translation: Translation) -> list[UsedTerm]:
    return [term for sentence in translation.sentences for term in sentence.glossary]


def test_a_term_that_the_model_writes_by_itself_changes_nothing(service: Running) -> None:
    (plain,) = translate(service, FIRST)
    written = longest(plain.text)
    entry = GlossaryEntry(source=longest(FIRST), target=written)
    (found,) = translate(service, FIRST, glossary=(entry,))
    assert found.text == plain.text
    (term,) = terms_of(found)
    assert (term.source, term.target, term.outcome) == (entry.source, written, "model")
    assert term.target_span is not None
    assert found.text[slice(*term.target_span)] == written


def test_a_form_of_a_term_that_the_model_writes_by_itself_stays(service: Running) -> None:
    (plain,) = translate(service, FIRST)
    written = longest(plain.text)
    entry = GlossaryEntry(source=longest(FIRST), target=written[:-1])
    (found,) = translate(service, FIRST, glossary=(entry,))
    assert found.text == plain.text
    assert [term.outcome for term in terms_of(found)] == ["model"]


def test_another_term_is_enforced(service: Running) -> None:
    entry = GlossaryEntry(source=longest(FIRST), target="Wanted Term")
    (found,) = translate(service, FIRST, glossary=(entry,))
    (term,) = terms_of(found)
    assert (term.outcome, term.target_span and found.text[slice(*term.target_span)]) == (
        "enforced",
        "Wanted Term",
    )


def test_a_translation_does_not_depend_on_its_neighbours(service: Running) -> None:
    (plain,) = translate(service, FIRST)
    entries = (
        GlossaryEntry(source=longest(FIRST), target=longest(plain.text)),
        GlossaryEntry(source=longest(SECOND), target="Wanted Term"),
    )
    together = translate(service, *SENTENCES, f"{FIRST} {SECOND}", glossary=entries)
    alone = [translate(service, text, glossary=entries)[0] for text in SENTENCES]
    assert [t.text for t in together[:-1]] == [t.text for t in alone]
    assert together[-1].text == f"{alone[0].text} {alone[1].text}"


def test_alternatives_have_the_terms_as_well(service: Running) -> None:
    (plain,) = translate(service, FIRST)
    written = longest(plain.text)
    entry = GlossaryEntry(source=longest(FIRST), target=written)
    (found,) = translate(service, FIRST, glossary=(entry,), num_alternatives=5, beam_size=6)
    assert found.alternatives
    assert all(written[:4] in text for text in found.alternatives)


def test_a_sentence_without_terms_has_none_in_its_details(service: Running) -> None:
    entry = GlossaryEntry(source="elsewhere", target="x")
    (found,) = translate(service, FIRST, glossary=(entry,))
    assert terms_of(found) == []
    assert found.text == translate(service, FIRST)[0].text


def test_a_sentence_that_is_a_term_needs_no_model(service: Running) -> None:
    (found,) = translate(service, "House.", glossary=(GlossaryEntry(source="house", target="Bau"),))
    assert found.text == "Bau."
    assert [term.outcome for term in terms_of(found)] == ["enforced"]
