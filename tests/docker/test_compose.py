"""`docker/compose.yaml`, up for real: confined replicas, haproxy before them, Prometheus."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.docker.composition import Composition
from tests.docker.prometheus import Prometheus
from tests.docker.reply import ask

pytestmark = [pytest.mark.docker, pytest.mark.slow]
REPLICAS = ("pellucid-1", "pellucid-2")
TEXT = {"q": "The weather is nice today.", "source": "en", "target": "de"}


def test_process_runs_as_uid_10001_without_any_capability(composition: Composition) -> None:
    _, text = composition.execute("pellucid-1", "cat", "/proc/1/status")
    status = dict(line.split(":\t", 1) for line in text.splitlines())
    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_root_file_system_is_read_only(composition: Composition) -> None:
    for service in (*REPLICAS, "haproxy", "prometheus"):
        assert composition.inspect(service)["HostConfig"]["ReadonlyRootfs"]
    assert composition.execute("pellucid-1", "touch", "/tmp/written")[0] == 0
    assert composition.execute("pellucid-1", "touch", "/app/written")[0] != 0


def test_engine_sees_every_service_healthy(composition: Composition) -> None:
    for service in (*REPLICAS, "haproxy", "prometheus"):
        assert composition.inspect(service)["State"]["Health"]["Status"] == "healthy"


def test_replicas_translate_behind_haproxy(composition: Composition) -> None:
    reply = ask(composition.url("haproxy", 8000) + "/translate", {**TEXT, "details": True})
    assert reply.status == 200, reply.text
    body = json.loads(reply.text)
    assert body["translatedText"].strip() not in ("", TEXT["q"])
    assert [s["source"] for s in body["details"]] == [TEXT["q"]]


def test_probes_pass_through_haproxy_and_metrics_do_not(composition: Composition) -> None:
    url = composition.url("haproxy", 8000)
    assert [ask(url + path).status for path in ("/livez", "/readyz", "/health")] == [200] * 3
    assert ask(url + "/metrics").status == 404


def test_prometheus_scrapes_all(composition: Composition) -> None:
    prometheus = Prometheus(url=composition.url("prometheus", 9090))
    prometheus.wait_for('sum(up{job=~"pellucid|haproxy"}) == 3')
    prometheus.wait_for("sum(pellucid_ready) == 2")
    rules = [rule for group in prometheus.read("rules")["groups"] for rule in group["rules"]]
    assert rules


def test_prometheus_accepts_its_configuration(composition: Composition) -> None:
    code, output = composition.execute(
        "prometheus", "/bin/promtool", "check", "config", "/etc/prometheus/prometheus.yml"
    )
    assert code == 0, output


def test_one_replica_after_the_other_is_replaced_and_no_request_is_lost(
    composition: Composition,
) -> None:
    url = composition.url("haproxy", 8000) + "/translate"
    before = [composition.container(replica) for replica in REPLICAS]
    is_over = Event()

    def keep_asking(_: int) -> list[int]:
        statuses = []
        while not is_over.is_set():
            statuses.append(ask(url, TEXT).status)
        return statuses

    with ThreadPoolExecutor(2) as clients:
        asked = clients.map(keep_asking, range(2))
        try:
            for replica in REPLICAS:
                composition.replace(replica)
        finally:
            is_over.set()
    statuses = [status for of_client in asked for status in of_client]
    assert len(statuses) > 100
    assert set(statuses) == {200}
    assert not set(before) & {composition.container(replica) for replica in REPLICAS}
