"""Names that the model garbles, through a whole service: the toy model, told what it knows."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.documents.formats import read_document
from service.documents.translation import translate_document
from service.text.markup.passage import MarkupOptions
from service.translation.values import TranslateRequest, Translation
from tests.bundle.bundles import copy_of_tiny, know_words
from tests.data.toy_language import sentence_pairs
from tests.service.tiny_models import Running, renamed_copy, running

SOURCE = "A dog hears the man and the small House likes the dog."
"""The model translates `House`; told that neither it nor `Haus` is a word, it is a garbled name."""
MENDED = "Ein Hund hört den Mann und das kleine House mag den Hund."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pairs = sentence_pairs(1_000, seed=1)
    source, target = (
        {word.strip(".").casefold() for pair in pairs for word in pair[i].split()} for i in range(2)
    )
    copy = copy_of_tiny(tmp_path_factory.mktemp("bundles"))
    return know_words(copy, en=source - {"house"}, de=target - {"haus"})


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Running]:
    with running(folder=folder) as service:
        yield service


def translate(service: Running, text: str, **fields: object) -> Translation:
    options = {"source": "en", "target": "de"} | fields
    request = TranslateRequest(texts=(text,), **options)  # type: ignore[arg-type]
    (translation,) = asyncio.run(service.translator.translate(request)).translations
    return translation


def test_a_garbled_name_is_put_back(service: Running) -> None:
    assert translate(service, SOURCE).text == MENDED


def test_a_bundle_without_known_words_leaves_it() -> None:
    with running() as service:
        assert translate(service, SOURCE).text == MENDED.replace("House", "Haus")


def test_a_bundle_that_knows_one_language_leaves_it(folder: Path, tmp_path: Path) -> None:
    copy = know_words(Path(shutil.copytree(folder, tmp_path / "one")), en=["dog"])
    with running(folder=copy) as service:
        assert translate(service, SOURCE).text == MENDED.replace("House", "Haus")


def test_links_words_and_spans_are_those_of_the_name(service: Running) -> None:
    found = translate(service, SOURCE, with_alignment=True, with_doubt=True)
    (sentence,) = found.sentences
    assert "House" in [sentence.translation[word.start : word.end] for word in sentence.words]
    assert sentence.alignment
    linked = {
        sentence.source[slice(*link.source)]
        for link in sentence.alignment
        if sentence.translation[slice(*link.target)] == "House"
    }
    assert linked == {"House"}


def test_markup_stays_around_the_name(service: Running) -> None:
    marked = SOURCE.replace("House", "<b>House</b>")
    found = translate(service, marked, markup=MarkupOptions(), with_doubt=True)
    assert found.text == MENDED.replace("House", "<b>House</b>")


def test_what_a_client_began_stays(service: Running) -> None:
    found = translate(service, SOURCE, prefixes=("Ein Hund",))
    assert "House" not in found.text


def test_alternatives_have_the_name_as_well(service: Running) -> None:
    found = translate(service, SOURCE, beam_size=2, num_alternatives=1)
    assert found.alternatives
    assert not any("Haus" in text for text in (found.text, *found.alternatives))


def test_a_stream_and_a_file_have_the_name_as_well(service: Running) -> None:
    request = TranslateRequest(texts=(SOURCE,), source="en", target="de")

    async def streamed() -> list[str]:
        return [part.text async for part in service.translator.stream(request)]

    assert asyncio.run(streamed()) == [MENDED]
    document = read_document("a.html", f"<p>{SOURCE}</p>".encode())
    written = asyncio.run(translate_document(document, request, service.translator.translate))
    assert MENDED.encode() in written


def test_the_second_model_gets_the_name_from_the_first(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "en-de")
    renamed_copy(tmp_path / "de-it", "de", "it")
    with running(folder=tmp_path) as service:
        (sentence,) = translate(service, SOURCE, target="it").sentences
    assert sentence.route[0].translation == MENDED
