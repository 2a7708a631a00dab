"""On a real cluster: nodes come and go, engines with the load, and no request is lost.

`make test-ray` runs this where Ray is installed, in a network of its own.
"""

import asyncio
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

pytest.importorskip("ray", reason="Ray is not installed: make test-ray")

import ray
from ray.cluster_utils import Cluster

from service.cluster.corpus import CorpusTranslator, CorpusWork, Part
from service.cluster.ray_data import translate_corpus
from service.cluster.ray_serve import RayOptions, build
from service.errors import InvalidRequestError, StartupError
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.server.parts import open_registry
from service.settings import Settings
from service.translation.values import TranslateRequest
from tests.service.api.fakes import ask
from tests.service.cluster.ray_cluster import (
    BASE_URL,
    LONGEST_S,
    Load,
    add_node,
    engines,
    is_alone,
    load,
    ray_cluster,
    serving_on_ray,
    wait_until,
)
from tests.service.tiny_models import TINY_BUNDLE, altered_copy, renamed_copy, running

pytestmark = [
    pytest.mark.skipif(not is_alone(), reason="needs a network of its own: make test-ray"),
    pytest.mark.slow,
]

EN_DE = {"source": "en", "target": "de"}
EN_IT = {"source": "en", "target": "it"}
TEXT = "Anna reads. Ben sings. Anna sees a house. " * 5
TEXTS = {"q": ["Anna reads. Ben sings.", "", "Anna sees a house."]}
REQUEST = TranslateRequest(texts=(), source="en", target="de")
SETTINGS = Settings(engines=0, workers=1, bundles=(TINY_BUNDLE,))
TOKEN = "an operator's token"
BATCH, PERSON = "key-of-the-batch-client", "key-of-a-person-who-types"
NO_CACHE = {"result_cache_bytes": 0, "share_runs": False}
"""Without them most of a load of equal texts never reaches an engine."""


def test_bundles_cannot_be_loaded_at_their_first_use() -> None:
    with pytest.raises(StartupError, match="load=first_use is for engines on one machine"):
        build(RayOptions(settings={"load": "first_use", "bundles": str(TINY_BUNDLE)}))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ray_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def expected() -> str:
    """What `TEXT` is without a cluster."""
    with running() as local:
        asked = TranslateRequest(texts=(TEXT,), source="en", target="de")
        return asyncio.run(local.translator.translate(asked)).translations[0].text


@pytest.fixture(scope="module")
def whole() -> Iterator[FastAPI]:
    """The application with its engine in this process."""
    metrics = Metrics()
    registry = open_registry(SETTINGS, metrics)
    registry.start()
    yield create_app(SETTINGS, registry, metrics)
    registry.close()


def translated(client: httpx.Client, text: str = TEXT) -> str:
    reply = client.post("/translate", json=EN_DE | {"q": text})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["translatedText"])


def streamed(client: httpx.Client, text: str = TEXT) -> str:
    with client.stream("POST", "/translate", json=EN_DE | {"q": text, "stream": True}) as reply:
        assert reply.status_code == 200
        lines = [line for line in reply.iter_lines() if line]
    assert lines[-2:] == ["event: done", "data: {}"], lines[-2:]
    parts = [httpx.Response(200, text=x[6:]).json() for x in lines[1:-2:2]]
    return "".join(part["text"] for part in parts)


def counted(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(x.rpartition(" ")[2]) for x in lines if x.startswith(f"pellucid_{name} "))


def wait_for_answers(noted: Load, num_more: int) -> None:
    num_before = len(noted.answers)
    wait_until(lambda: len(noted.answers) > num_before + num_more)


def test_a_cluster_answers_what_one_machine_answers(
    cluster: Cluster, expected: str, whole: FastAPI
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/translate", EN_DE | TEXTS),
        ("/translate", EN_DE | TEXTS | {"source": "auto"}),
        ("/translate", EN_DE | TEXTS | {"details": True, "attention": True}),
        ("/translate", EN_DE | TEXTS | {"alternatives": 3, "beam_size": 4}),
        ("/translate", {"q": "Anna <b>reads</b>.", **EN_DE, "format": "html"}),
        ("/translate", EN_DE | TEXTS | {"stream": True}),
        ("/translate", EN_DE | TEXTS | {"source": "xx"}),
        ("/translate", {"q": "Anna", **EN_DE, "prefix": "Ben", "alternatives": 2}),
        ("/attention", {"q": "Anna reads.", "translation": "Anna liest.", **EN_DE}),
        ("/score", {"pairs": [{"source_text": "a", "target_text": "b"}], **EN_DE}),
        ("/detect", {"q": "Anna reads."}),
        ("/v2/translate", {"text": ["Anna reads."], "target_lang": "DE"}),
    ]
    with serving_on_ray() as client:
        assert translated(client) == expected
        assert streamed(client) == expected
        for path, body in asked:
            there, here = client.post(path, json=body), ask(whole, "POST", path, json=body)
            assert (there.status_code, there.text) == (here.status_code, here.text), path
        for path in ("/languages", "/v2/languages?type=target", "/openapi.json"):
            assert client.get(path).json() == ask(whole, "GET", path).json()
        (model,) = client.get("/models").json()
        assert model["canary"]["state"] == "ok"


def test_a_front_counts_what_its_engines_do(cluster: Cluster) -> None:
    with serving_on_ray() as client:
        before = counted(client, "target_tokens_total")
        translated(client)
        assert counted(client, "target_tokens_total") > before
        assert counted(client, "batch_rows_count") > 0
        assert counted(client, "padding_ratio_count") > 0
        assert counted(client, "slots_in_use") == 0


def test_a_pair_without_a_bundle_goes_through_a_third_language(
    cluster: Cluster, tmp_path: Path
) -> None:
    for source, target in (("en", "de"), ("de", "it")):
        renamed_copy(tmp_path / f"{source}-{target}", source, target)
    node = add_node(cluster)
    try:
        with serving_on_ray({"bundles": str(tmp_path)}) as client:
            reply = client.post("/translate", json=EN_IT | {"q": "Anna reads.", "details": True})
            assert reply.status_code == 200, reply.text
            (sentence,) = reply.json()["details"]
            assert [leg["model"] for leg in sentence["route"]] == ["en-de", "de-it"]
    finally:
        cluster.remove_node(node)


def test_clients_have_keys_and_take_turns(cluster: Cluster) -> None:
    settings = NO_CACHE | {"api_keys": f"{BATCH},{PERSON}"}
    ended: list[str] = []

    def translate(client: httpx.Client, key: str, text: str) -> None:
        body = EN_DE | {"q": text}
        reply = client.post("/translate", json=body, headers={"Authorization": f"Bearer {key}"})
        assert reply.status_code == 200, reply.text
        ended.append(key)

    with serving_on_ray(settings) as client, httpx.Client(base_url=BASE_URL) as other:
        unknown = {"Authorization": "Bearer nobody's"}
        reply = client.post("/translate", json=EN_DE | TEXTS, headers=unknown)
        assert reply.status_code == 403
        batch = threading.Thread(target=translate, args=(client, BATCH, TEXT * 60))
        batch.start()
        wait_until(lambda: counted(other, "slots_in_use") > 0)
        for _ in range(3):
            translate(other, PERSON, "Ben sings.")
        batch.join()
    assert ended == [PERSON] * 3 + [BATCH]


def test_engines_come_and_go_with_the_load(cluster: Cluster, expected: str) -> None:
    node = add_node(cluster)
    delays = {"upscale_delay_s": 1, "downscale_delay_s": 2}
    try:
        with serving_on_ray(
            NO_CACHE, max_engines=2, requests_per_engine=2, autoscaling=delays
        ) as client:
            assert len(engines()) == 1
            with load(translated, num_clients=16) as noted:
                wait_until(lambda: len(engines()) == 2)
            wait_until(lambda: len(engines()) == 1)
            assert translated(client) == expected
            assert counted(client, "engine_restarts_total") == 0
    finally:
        cluster.remove_node(node)
    assert noted.failures == []
    assert set(noted.answers) == {expected}


def test_no_request_is_lost_with_an_engine(cluster: Cluster, expected: str) -> None:
    node = add_node(cluster)
    long, whole = TEXT * 4, expected * 4  # all that wait are fewer than a client may have
    min_deaths, max_deaths = 3, 20
    try:
        with serving_on_ray(NO_CACHE, min_engines=2) as client:
            wait_until(lambda: len(engines()) == 2)
            with load(lambda client: translated(client, long), num_clients=8) as noted:
                num_deaths = 0
                # An engine that is killed before it has begun, or between two texts, loses nothing.
                while num_deaths < min_deaths or not counted(client, "lost_calls_total"):
                    assert num_deaths < max_deaths
                    wait_for_answers(noted, 10)
                    ray.kill(engines()[num_deaths % 2])
                    num_deaths += 1
                    wait_until(lambda: len(engines()) == 2)
                wait_for_answers(noted, 40)
            assert 0 < counted(client, "engine_restarts_total") <= num_deaths
    finally:
        cluster.remove_node(node)
    assert noted.failures == []
    assert set(noted.answers) == {whole}


def test_no_request_is_lost_with_a_node(cluster: Cluster, expected: str) -> None:
    turns = count()
    long, whole = TEXT * 40, expected * 40

    def ask_in_turn(client: httpx.Client) -> str:
        return (translated if next(turns) % 2 else streamed)(client, long)

    # The front and one engine fill the first node, so that the other engine waits for the second.
    with serving_on_ray(NO_CACHE, min_engines=2) as client:
        node = add_node(cluster)
        wait_until(lambda: len(engines()) == 2)
        # Fewer sentences than a client may have waiting: one engine is left for all of them.
        with load(ask_in_turn, num_clients=4) as noted:
            wait_for_answers(noted, 20)
            cluster.remove_node(node, allow_graceful=False)
            wait_for_answers(noted, 40)
        num_lost = counted(client, "lost_calls_total")
        node = add_node(cluster)
        wait_until(lambda: len(engines()) == 2)
    cluster.remove_node(node)
    assert noted.failures == []
    assert set(noted.answers) == {whole}
    assert num_lost > 0


def test_a_client_that_leaves_takes_its_sentences_along(cluster: Cluster) -> None:
    async def leave(client: httpx.Client) -> None:
        async with httpx.AsyncClient(base_url=BASE_URL) as leaving:
            asking = asyncio.create_task(
                leaving.post("/translate", json=EN_DE | {"q": TEXT * 90}, timeout=LONGEST_S)
            )
            while not await asyncio.to_thread(counted, client, "slots_in_use"):
                assert not asking.done()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    with serving_on_ray(NO_CACHE) as client:
        asyncio.run(leave(client))
        wait_until(lambda: counted(client, 'cancelled_total{reason="client"}') > 0)
        wait_until(lambda: counted(client, "slots_in_use") == 0)


def test_bundles_are_replaced_while_a_cluster_serves(cluster: Cluster, tmp_path: Path) -> None:
    folder = altered_copy(tmp_path / "bundle", name="first")
    settings = {"bundles": str(folder), "admin_token": TOKEN}
    node = add_node(cluster)
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    try:
        with serving_on_ray(settings) as client:
            folder.rename(tmp_path / "before")
            altered_copy(folder, name="second")
            with load(translated, num_clients=4) as noted:
                reply = client.post("/admin/reload", headers=authorization)
            assert reply.json()["outcome"] == "swapped", reply.text
            assert [model["name"] for model in client.get("/models").json()] == ["second"]
            wait_until(lambda: len(engines()) == 1)
    finally:
        cluster.remove_node(node)
    assert noted.failures == []
    assert noted.answers


def test_several_fronts_share_requests_and_refuse_to_reload(
    cluster: Cluster, expected: str
) -> None:
    node = add_node(cluster, num_cpus=2)
    try:
        with serving_on_ray({"admin_token": TOKEN}, gateways=2) as client:
            wait_until(lambda: len(engines()) == 2)
            with load(translated, num_clients=4) as noted:
                wait_for_answers(noted, 40)
            reply = client.post("/admin/reload", headers={"Authorization": f"Bearer {TOKEN}"})
        assert reply.status_code == 409
        assert "deploy" in reply.json()["error"]
    finally:
        cluster.remove_node(node)
    assert noted.failures == []
    assert set(noted.answers) == {expected}


def corpus(folder: Path) -> list[Path]:
    first, second = folder / "first.txt", folder / "second.txt"
    first.write_text("".join(f"Anna reads {i}.\n\n" for i in range(1_000)), encoding="utf-8")
    second.write_text("Ben sings.\r\nAnna sees a house.", encoding="utf-8")
    return [first, second]


def test_a_corpus_is_translated_in_order_though_a_node_is_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    files, work = corpus(tmp_path), CorpusWork(request=REQUEST)
    node = add_node(cluster)
    parts = translate_corpus(files, SETTINGS, work, part_bytes=500)
    found = [next(parts)]
    cluster.remove_node(node, allow_graceful=False)
    found += parts
    alone = CorpusTranslator(SETTINGS, work)
    whole = [alone.translate(Part(path=f, start=0, end=f.stat().st_size)) for f in files]
    alone.close()
    assert len(found) > 30
    assert b"".join(found) == b"".join(whole)


def test_a_line_that_cannot_be_read_ends_a_corpus(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(b"Anna reads.\n\xff\n")
    with pytest.raises(InvalidRequestError, match=r"bad\.txt is not UTF-8 at byte 12"):
        list(translate_corpus([file], SETTINGS, CorpusWork(request=REQUEST)))


def test_former_name_of_gateways_still_works_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    assert RayOptions.model_validate({"doors": 2}).gateways == 2
    assert [record.getMessage() for record in caplog.records] == [
        "doors is deprecated: use gateways"
    ]
    with pytest.raises(ValidationError, match="remove doors"):
        RayOptions.model_validate({"doors": 1, "gateways": 2})


@pytest.mark.parametrize(
    "given",
    [
        {"min_engines": 5},
        {"min_engines": 0},
        {"autoscaling": {"look_back_period_s": 2}},
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RayOptions.model_validate(given)
