"""`docker/compose.yaml`, up for real: the service confined, Prometheus scraping it."""

import json
from urllib.parse import quote

import pytest

from tests.docker.composition import Composition
from tests.docker.reply import ask, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_process_runs_as_uid_10001_without_any_capability(composition: Composition) -> None:
    _, text = composition.execute("pellucid", "cat", "/proc/1/status")
    status = dict(line.split(":\t", 1) for line in text.splitlines())
    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_root_file_system_is_read_only(composition: Composition) -> None:
    assert composition.inspect("pellucid")["HostConfig"]["ReadonlyRootfs"]
    assert composition.execute("pellucid", "touch", "/tmp/written")[0] == 0
    assert composition.execute("pellucid", "touch", "/app/written")[0] != 0


def test_container_translates(composition: Composition) -> None:
    fields = {"q": "The weather is nice today.", "source": "en", "target": "de", "details": True}
    reply = ask(composition.url("pellucid", 8000) + "/translate", fields)
    assert reply.status == 200, reply.text
    body = json.loads(reply.text)
    assert body["translatedText"].strip() not in ("", fields["q"])
    assert [s["source"] for s in body["details"]] == [fields["q"]]


def test_engine_sees_the_container_healthy(composition: Composition) -> None:
    assert composition.inspect("pellucid")["State"]["Health"]["Status"] == "healthy"
    url = composition.url("pellucid", 8000)
    assert [ask(url + path).status for path in ("/livez", "/readyz", "/health")] == [200] * 3


def test_prometheus_scrapes_the_service(composition: Composition) -> None:
    url = composition.url("prometheus", 9090)
    wait_until(lambda: _query(url, 'up{job="pellucid"}') == [1.0], "Prometheus has scraped")
    assert _query(url, "pellucid_model_info") == [1.0]


def test_prometheus_accepts_its_configuration(composition: Composition) -> None:
    code, output = composition.execute(
        "prometheus", "/bin/promtool", "check", "config", "/etc/prometheus/prometheus.yml"
    )
    assert code == 0, output


def _query(url: str, expression: str) -> list[float]:
    reply = ask(f"{url}/api/v1/query?query={quote(expression)}")
    assert reply.status == 200, reply.text
    return [float(series["value"][1]) for series in json.loads(reply.text)["data"]["result"]]
