"""Numbers through the embedded model: a sentence whose numbers change is decoded again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.text.checks import check
from service.translation.values import TranslateRequest, Translation
from tests.service.tiny_models import Running, running

BUNDLES = Path(__file__).parents[4] / "bundles"
CASES = Path(__file__).parents[3] / "data" / "numbers.tsv"


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running(folder=BUNDLES) as service:
        yield service


def translate(service: Running, *texts: str, **fields: object) -> tuple[Translation, ...]:
    options = {"source": "en", "target": "de"} | fields
    request = TranslateRequest(texts=texts, **options)  # type: ignore[arg-type]
    return asyncio.run(service.translator.translate(request)).translations


def test_amounts_times_and_dates_are_written_as_the_language_writes_them(
    service: Running,
) -> None:
    texts = ("The coat costs $1,234.50.", "The shop closes at 5:30 pm.", "He came on 3/24/2024.")
    found = [t.text for t in translate(service, *texts)]
    for text, written in zip(found, ("1.234,50 $", "17:30 Uhr", "24.03.2024"), strict=True):
        assert written in text


def test_the_cases_keep_their_numbers_alone_and_beside_each_other(service: Running) -> None:
    rows = [line.split("\t") for line in CASES.read_text("utf-8").splitlines()]
    texts = [row[2] for row in rows if row[1] == "de-en"][::12]
    together = translate(service, *texts, source="de", target="en")
    for text, translation in zip(texts, together, strict=True):
        found = check(text, translation.text, "de", "en")
        assert not [each for each in found if each.name == "number"], (text, translation.text)
    alone = translate(service, texts[3], source="de", target="en")
    assert alone[0].text == together[3].text


def test_links_and_spans_fit_a_mended_translation(service: Running) -> None:
    text = "About 1,234,567 people paid $5.50 at 5 pm on March 3."
    (translation,) = translate(service, text, with_alignment=True)
    (sentence,) = translation.sentences
    assert sentence.alignment
    for link in sentence.alignment:
        assert 0 <= link.source[0] < link.source[1] <= len(sentence.source)
        assert 0 <= link.target[0] < link.target[1] <= len(sentence.translation)
    assert "1.234.567" in sentence.translation


def test_what_a_client_began_is_not_mended(service: Running) -> None:
    (translation,) = translate(service, "He has 4 dogs.", prefixes=("Er hat 5",))
    assert translation.text.startswith("Er hat 5")
