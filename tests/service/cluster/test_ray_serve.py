"""On a real cluster: nodes come and go, engines with the load, and no request is lost.

`make test-ray` runs this where Ray is installed, in a network of its own.
"""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest

pytest.importorskip("ray", reason="Ray is not installed: make test-ray")

from ray import serve
from ray.cluster_utils import Cluster

from service.cluster.corpus import CorpusTranslator, CorpusWork, Part
from service.cluster.ray_data import translate_corpus
from service.cluster.ray_serve import RayTransport
from service.cluster.remote import RequestEnvelope
from service.errors import InvalidRequestError
from service.settings import Settings
from service.translation.values import TranslateRequest
from tests.service.cluster.ray_cluster import (
    ENGINE,
    LONGEST_S,
    add_node,
    deploy,
    is_alone,
    load,
    num_engines,
    ray_cluster,
    serving_on_ray,
    wait_until,
)
from tests.service.tiny_models import TINY_BUNDLE, running

pytestmark = [
    pytest.mark.skipif(not is_alone(), reason="needs a network of its own: make test-ray"),
    pytest.mark.slow,
]

EN_DE = {"source": "en", "target": "de"}
TEXT = "Anna reads. Ben sings. Anna sees a house. " * 5
REQUEST = TranslateRequest(texts=(), source="en", target="de")
SETTINGS = Settings(workers=1, bundles=(TINY_BUNDLE,))


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


def test_a_cluster_translates_what_one_machine_translates(cluster: Cluster, expected: str) -> None:
    with serving_on_ray() as client:
        assert translated(client) == expected
        assert streamed(client) == expected
        refused = client.post("/translate", json=EN_DE | {"q": "a", "source": "xx"})
        assert (refused.status_code, refused.json()["code"]) == (400, "unsupported_language")
        inspected = client.post("/attention", json=EN_DE | {"q": "Anna reads."})
        assert inspected.json()["source_tokens"][-1] == "</s>"
        (model,) = client.get("/models").json()
        assert model["canary"]["state"] == "ok"


def test_engines_come_and_go_with_the_load(cluster: Cluster, expected: str) -> None:
    node = add_node(cluster)
    delays = {"upscale_delay_s": 1, "downscale_delay_s": 2, "look_back_period_s": 2}
    try:
        with serving_on_ray(max_engines=2, requests_per_engine=2, autoscaling=delays) as client:
            assert num_engines() == 1
            with load(translated, num_clients=16) as noted:
                wait_until(lambda: num_engines() == 2)
            wait_until(lambda: num_engines() == 1)
            assert translated(client) == expected
    finally:
        cluster.remove_node(node)
    assert noted.failures == []
    assert set(noted.answers) == {expected}


def test_no_request_is_lost_with_a_node(cluster: Cluster, expected: str) -> None:
    turns = count()
    long, whole = TEXT * 40, expected * 40

    def ask(client: httpx.Client) -> str:
        return (translated if next(turns) % 2 else streamed)(client, long)

    with serving_on_ray() as client:
        # What speaks HTTP is at home on the first node, and the second engine on this one.
        node = add_node(cluster)
        deploy(min_engines=2)
        with load(ask, num_clients=8) as noted:
            wait_until(lambda: len(noted.answers) > 20)
            cluster.remove_node(node, allow_graceful=False)
            before = len(noted.answers)
            wait_until(lambda: len(noted.answers) > before + 40)
        num_lost = counted(client, "lost_calls_total")
        node = add_node(cluster)
        wait_until(lambda: num_engines() == 2)
    cluster.remove_node(node)
    assert noted.failures == []
    assert set(noted.answers) == {whole}
    assert num_lost > 0


def test_an_engine_lets_go_of_a_client_that_has_left(cluster: Cluster) -> None:
    long = TranslateRequest(texts=(TEXT * 400,), source="en", target="de")
    envelope = RequestEnvelope(request=long, request_id=None, trace_id=None)

    async def leave() -> None:
        transport = RayTransport(serve.get_deployment_handle(ENGINE, "default"))
        asking = asyncio.create_task(transport.ask("translate", envelope))
        while b"pellucid_slots_in_use 0.0" in await transport.ask("exposition"):
            pass
        asking.cancel()
        while b'pellucid_cancelled_total{reason="client"} 0.0' in await transport.ask("exposition"):
            pass
        while b"pellucid_slots_in_use 0.0" not in await transport.ask("exposition"):
            pass
        assert b"pellucid_in_flight 0.0" in await transport.ask("exposition")

    with serving_on_ray():
        asyncio.run(asyncio.wait_for(leave(), LONGEST_S))


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
