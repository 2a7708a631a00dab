"""A sentence gets the same translation alone, in any company and under any load.

`make invariance` asks the same of a thousand real sentences.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from bundle.reader import read_bundle
from tests.data.toy_language import sentence_pairs
from tests.end_to_end.company import KINDS, Asked, Company, Outcome, shuffled, through_server
from tests.end_to_end.copy_task import sentences
from tests.end_to_end.invariance import BATCH_SIZES, CLIENTS, MAX_SCORE_ERROR, compare, serve
from tests.end_to_end.varied_texts import MAX_WORDS, load_sentences, varied_texts
from tests.service.server_process import ServerProcess

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
EMBEDDED = {path.name: path for path in sorted((TESTS.parent / "bundles").glob("*-*"))}
NUM_TEXTS = 150
MAX_SCORE_ERRORS = {"fp32": MAX_SCORE_ERROR}
"""In nats. Integers add up to the same sum in any order; floats depend on how a product is cut."""


@pytest.fixture(scope="module", params=["copy fp32", "copy int8", "tiny", *EMBEDDED])
def bundle(request: pytest.FixtureRequest) -> Path:
    kind, _, precision = str(request.param).partition(" ")
    if kind == "copy":
        return Path(request.getfixturevalue("copy_bundles")) / precision
    return EMBEDDED.get(kind, TESTS / "data" / "tiny-bundle")


@pytest.fixture(scope="module")
def texts(bundle: Path) -> list[str]:
    """Half of what the model knows, half of what it may be given."""
    if bundle.name in EMBEDDED:
        known = load_sentences(TESTS / "data" / "sentences.en.txt")
    elif bundle.name == "tiny-bundle":
        known = [source for source, _ in sentence_pairs(300, seed=11)]
    else:
        known = sentences(300, seed=11)
    return varied_texts(known, NUM_TEXTS, seed=11)


@pytest.fixture(scope="module")
def company(bundle: Path) -> Iterator[Company]:
    with Company(bundle) as company:
        yield company


@pytest.fixture(scope="module")
def alone(company: Company, texts: list[str]) -> dict[Asked, Outcome]:
    return company.alone(texts, ignore)


@pytest.fixture(scope="module")
def max_score_error(bundle: Path) -> float:
    return MAX_SCORE_ERRORS.get(read_bundle(bundle).manifest.precision, 0.0)


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serve(bundle, tmp_path_factory.mktemp("server")) as process:
        yield process


def ignore(_: int) -> None:
    """Progress is not shown."""


@pytest.mark.parametrize("num_sentences", BATCH_SIZES)
def test_company_in_a_batch_changes_nothing(
    company: Company,
    texts: list[str],
    alone: dict[Asked, Outcome],
    max_score_error: float,
    num_sentences: int,
) -> None:
    asked = shuffled(texts, seed=num_sentences)
    outcomes = company.together(asked, num_texts=num_sentences, progress=ignore)
    run = compare("batch", asked, outcomes, alone)
    assert run.differing == ()
    assert run.score_error <= max_score_error


@pytest.mark.parametrize("num_clients", CLIENTS)
def test_other_clients_of_a_server_change_nothing(
    server: ServerProcess,
    company: Company,
    texts: list[str],
    alone: dict[Asked, Outcome],
    max_score_error: float,
    num_clients: int,
) -> None:
    asked = shuffled(texts, seed=num_clients)
    outcomes = through_server(
        server.url, company.pair, asked, num_clients=num_clients, progress=ignore
    )
    run = compare("server", asked, outcomes, alone)
    assert run.differing == ()
    assert run.score_error <= max_score_error


def test_texts_of_one_request_are_translated_as_if_each_had_come_alone(
    server: ServerProcess, company: Company, texts: list[str], alone: dict[Asked, Outcome]
) -> None:
    languages = {"source": company.pair.source, "target": company.pair.target}
    for kind, fields in enumerate(KINDS):
        content = {"q": texts, **languages, **fields}
        reply = httpx.post(f"{server.url}/translate", json=content, timeout=60)
        assert reply.json()["translatedText"] == [
            alone[Asked(text=text, kind=kind)].texts[0] for text in texts
        ]


def test_the_texts_are_unlike_each_other(texts: list[str], alone: dict[Asked, Outcome]) -> None:
    lengths = [len(text.split()) for text in texts]
    assert len(set(texts)) == NUM_TEXTS
    assert min(lengths) == 1
    assert 90 <= max(lengths) <= MAX_WORDS
    assert any("😀" in text for text in texts)
    assert any("北京" in text for text in texts)
    assert len({outcome.texts[0] for outcome in alone.values()}) > NUM_TEXTS * 0.9


def test_a_difference_is_found(texts: list[str], alone: dict[Asked, Outcome]) -> None:
    asked = [one for one in alone if KINDS[one.kind].get("details")][:3]
    given = [alone[one] for one in asked]
    assert compare("same", asked, given, alone).is_passed
    worse = replace(given[1], scores=tuple(score - 0.001 for score in given[1].scores))
    run = compare("scores", asked, [given[0], worse, given[2]], alone)
    assert (run.is_passed, run.differing) == (False, ())
    other = replace(given[2], texts=("Another.", *given[2].texts[1:]))
    run = compare("texts", asked, [*given[:2], other], alone)
    assert (run.is_passed, run.differing) == (False, ((asked[2], given[2], other),))
