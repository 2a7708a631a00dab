"""`docker/compose.yaml` as compose itself reads it, without an engine: containers have bounds."""

import json
import re
import subprocess
from functools import cache
from typing import Any

import pytest

from service.settings import load_settings
from tests.docker.composition import COMPOSE_FILE, compose
from tests.service.server_process import environment

SERVICES = ("pellucid-1", "pellucid-2", "haproxy", "prometheus", "grafana")
REPLICAS = SERVICES[:2]
SIZE = re.compile(r"size=(\d+)m")
MEBIBYTE = 1 << 20
MOST_RSS_BYTES = 600 * MEBIBYTE
"""Of the service under attack."""
IDLE_PROXY_BYTES = 64 * MEBIBYTE


@cache
def services(**variables: str) -> dict[str, Any]:
    done = subprocess.run(
        [compose(), "--file", str(COMPOSE_FILE), "--profile", "grafana", "config", "--format=json"],
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_all_services_are_here() -> None:
    assert set(services()) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_and_take_only_so_much(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert 0 < int(service["mem_limit"]) <= 1 << 30
    assert service["memswap_limit"] == service["mem_limit"]
    assert 0 < service["pids_limit"] <= 256
    assert 0 < float(service["cpus"]) <= 1
    assert all(SIZE.search(mount) for mount in service.get("tmpfs", ()))


@pytest.mark.parametrize("name", REPLICAS)
def test_files_fit_into_tmp_and_tmp_beside_the_process(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = services()[name]
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    (mount,) = service["tmpfs"]
    found = SIZE.search(mount)
    assert found
    tmp_bytes = int(found[1]) * MEBIBYTE
    uploads = settings.max_file_jobs * settings.max_file_bytes
    assert settings.max_stored_bytes + uploads <= tmp_bytes
    assert tmp_bytes + MOST_RSS_BYTES <= int(service["mem_limit"])


def test_the_buffers_of_all_clients_fit_into_the_balancer() -> None:
    """4,000 clients that stopped within a request took 277 MB of it."""
    text = (COMPOSE_FILE.parent / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")
    connections, buffer_bytes = (
        int(re.findall(rf"^    {name} (\d+)$", text, re.MULTILINE)[0])
        for name in ("maxconn", "tune.bufsize")
    )
    both_ways_bytes = 2 * connections * buffer_bytes
    assert both_ways_bytes + IDLE_PROXY_BYTES <= int(services()["haproxy"]["mem_limit"])


def test_published_ports_are_on_loopback_and_replicas_know_their_names() -> None:
    for service in services().values():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", ()))
    for name in REPLICAS:
        assert services()[name]["environment"]["PELLUCID_ALLOWED_HOSTS"] == "localhost"
        given = services(PELLUCID_ALLOWED_HOSTS="a.example")[name]["environment"]
        assert given["PELLUCID_ALLOWED_HOSTS"] == "a.example"


def test_every_image_can_be_given_by_digest() -> None:
    names = ("HAPROXY_IMAGE", "PROMETHEUS_IMAGE", "GRAFANA_IMAGE", "BASE_IMAGE")
    digests = {name: f"some/image@sha256:{number:064}" for number, name in enumerate(names)}
    given = services(**digests)
    images = [given[name]["image"] for name in SERVICES[2:]]
    assert images == [digests[name] for name in names[:3]]
    for name in REPLICAS:
        assert given[name]["build"]["args"]["BASE"] == digests["BASE_IMAGE"]


def test_both_stages_of_the_image_are_of_the_base_that_is_given() -> None:
    dockerfile = COMPOSE_FILE.with_name("Dockerfile").read_text(encoding="utf-8")
    default = services()["pellucid-1"]["build"]["args"]["BASE"]
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["${BASE}"] * 2
    assert re.findall(r"^ARG BASE\S*", dockerfile, re.MULTILINE) == [
        f"ARG BASE={default}",
        "ARG BASE",
    ]
    assert 'org.opencontainers.image.base.name="$BASE"' in dockerfile
