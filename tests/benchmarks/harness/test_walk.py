"""A request passes through few files of the service, and is tokenised once."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.harness.walk import Call, num_moves, recorded_calls, walked
from service.inspection.values import AttentionRequest
from service.translation.values import TranslateRequest
from tests.service.tiny_models import running

ROOT = Path(__file__).parents[3]
MAX_MOVES = {"plain": 165, "html": 270}
"""Before sentences were kept in one list they were 184 and 332. A third of a plain request's are
for what it may cost: its place, its host, its key, its bytes, its characters. Numbers, which are
looked for in every text, and doubt take some twenty."""


@pytest.fixture(scope="module")
def calls() -> dict[str, list[Call]]:
    return walked(ROOT / "bundles" / "en-de", "en", "de")


@pytest.mark.parametrize("name", MAX_MOVES)
def test_a_request_moves_between_few_files(calls: dict[str, list[Call]], name: str) -> None:
    assert num_moves(calls[name]) <= MAX_MOVES[name]


def test_the_whole_way_is_recorded(calls: dict[str, list[Call]]) -> None:
    rooms = [file.split("/")[0] for file, _ in calls["html"]]
    assert {"api", "translation", "text", "models", "scheduling", "engine"} <= set(rooms)
    assert ("api/replies/json.py", "json_bytes") in calls["html"]


def test_no_job_is_made_for_nothing(calls: dict[str, list[Call]]) -> None:
    functions = Counter(function for _, function in calls["plain"])
    assert functions["_Run.__init__"] == functions["SingleFlight.submit"] == 1


def test_moves_are_changes_of_file() -> None:
    assert num_moves([]) == 0
    assert num_moves([("a", "f"), ("a", "g"), ("b", "h"), ("a", "f")]) == 2


def test_a_sentence_is_tokenised_once() -> None:
    with running() as service:
        text, pair = service.model.bundle.manifest.canary.source_text, service.pair
        request = TranslateRequest(texts=(text,), source=pair.source, target=pair.target)
        with recorded_calls(ROOT / "bundle") as tokenizer:
            asyncio.run(service.translator.translate(request))
        assert encoded(tokenizer) == {"Tokenizer.encode_source": 1}


def test_a_given_translation_and_its_source_are_tokenised_once() -> None:
    with running() as service:
        text, pair = service.model.bundle.manifest.canary.source_text, service.pair
        request = AttentionRequest(
            texts=(text,), translations=("Ein Satz.",), source=pair.source, target=pair.target
        )
        with recorded_calls(ROOT / "bundle") as tokenizer:
            asyncio.run(service.translator.attention(request))
        assert encoded(tokenizer) == {"Tokenizer.encode_source": 1, "Tokenizer.encode_target": 1}


def encoded(calls: list[Call]) -> Counter[str]:
    """How often each function that turns text into ids was called."""
    names = ("Tokenizer.encode_source", "Tokenizer.encode_target")
    return Counter(function for _, function in calls if function in names)
