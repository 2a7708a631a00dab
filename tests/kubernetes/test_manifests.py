"""What a cluster would be told: valid, consistent in itself and with the service."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate
import pytest

from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.settings import load_settings
from tests.kubernetes.manifests import FOLDER, RENDERED, Manifests, rendered, rendered_chart

OLDEST, NEWEST = "1.33", "1.37"
LAST_WORDS_S = 5
"""What the process may take after its drain: replies that are ready, spans that are left."""

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@cache
def _rendered(name: str) -> Manifests:
    if name == "chart":
        return rendered_chart({"serviceMonitor": {"enabled": True}})
    return rendered(name)


@pytest.fixture(params=[*RENDERED, "chart"])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return _rendered(request.param)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_is_strictly_valid(manifests: Manifests, version: str) -> None:
    # The ServiceMonitor's schema belongs to the Prometheus operator, not to Kubernetes.
    ours = [each for each in manifests.objects if each["kind"] != "ServiceMonitor"]
    assert len(ours) >= 6
    for each in ours:
        kubernetes_validate.validate(each, version, strict=True)


def test_validation_is_strict(manifests: Manifests) -> None:
    wrong = manifests.of("Service") | {"spec": manifests.of("Service")["spec"] | {"prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError, match="prots"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_everything_that_selects_pods_finds_them(manifests: Manifests) -> None:
    selectors = [
        manifests.of("Deployment")["spec"]["selector"]["matchLabels"],
        manifests.of("Service")["spec"]["selector"],
        manifests.of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        manifests.of("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        manifests.pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]
    assert all(
        selector and selector.items() <= manifests.pod_labels.items() for selector in selectors
    )


def test_monitor_finds_the_service_and_its_port(manifests: Manifests) -> None:
    monitor, service = manifests.of("ServiceMonitor")["spec"], manifests.of("Service")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    ports = {port["name"] for port in service["spec"]["ports"]}
    assert [endpoint["port"] in ports for endpoint in monitor["endpoints"]] == [True]
    # The alerts of docker/prometheus go by the job's name.
    assert monitor["jobLabel"] == "app.kubernetes.io/name"
    assert service["metadata"]["labels"]["app.kubernetes.io/name"] == "pellucid"


def test_port_is_the_one_of_the_image(manifests: Manifests) -> None:
    (port,) = manifests.container["ports"]
    dockerfile = (FOLDER.parent / "Dockerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {port['containerPort']}\n" in dockerfile
    targets = [p["targetPort"] for p in manifests.of("Service")["spec"]["ports"]]
    targets += [p["port"] for p in manifests.of("NetworkPolicy")["spec"]["ingress"][0]["ports"]]
    targets += [_probe(manifests, name)["port"] for name in _PROBES]
    assert set(targets) == {port["name"]}


def test_probes_ask_for_what_is_there(manifests: Manifests) -> None:
    assert _probe(manifests, "livenessProbe")["path"] == "/livez"
    assert _probe(manifests, "readinessProbe")["path"] == "/readyz"
    app = create_app(load_settings({}), Registry(()), Metrics())
    paths = set(app.openapi()["paths"])
    assert {_probe(manifests, name)["path"] for name in _PROBES} <= paths
    assert manifests.of("ServiceMonitor")["spec"]["endpoints"][0]["path"] in paths


def test_variables_are_settings(manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in manifests.environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    grace_s = manifests.pod["terminationGracePeriodSeconds"]
    assert grace_s >= settings.shutdown_delay_s + settings.drain_s + LAST_WORDS_S
    assert settings.shutdown_delay_s > 0


def test_service_of_our_name_sets_none_of_our_variables(manifests: Manifests) -> None:
    assert manifests.pod["enableServiceLinks"] is False


def test_pod_may_do_as_little_as_possible(manifests: Manifests) -> None:
    assert manifests.pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert manifests.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert manifests.pod["automountServiceAccountToken"] is False
    assert manifests.of("NetworkPolicy")["spec"]["egress"] == []
    (writable,) = (v for v in manifests.pod["volumes"] if "emptyDir" in v)
    assert [m["mountPath"] for m in _mounts(manifests, writable["name"])] == ["/tmp"]


def test_user_is_the_one_of_the_image(manifests: Manifests) -> None:
    user = manifests.pod["securityContext"]["runAsUser"]
    dockerfile = (FOLDER.parent / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(rf"^USER {user}:{user}$", dockerfile, re.MULTILINE)


def test_written_files_fit_into_their_volume(manifests: Manifests) -> None:
    (volume,) = (v["emptyDir"] for v in manifests.pod["volumes"] if "emptyDir" in v)
    settings = load_settings({})
    uploads = settings.max_file_jobs * settings.max_file_bytes
    assert _mebibytes(volume["sizeLimit"]) * 2**20 >= settings.max_stored_bytes + uploads


def test_limits_are_requests_so_that_workers_have_the_cpus_they_count_on(
    manifests: Manifests,
) -> None:
    resources = manifests.container["resources"]
    assert resources["requests"] == resources["limits"]
    assert set(resources["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    (volume,) = (v["emptyDir"] for v in manifests.pod["volumes"] if "emptyDir" in v)
    # The volume, and 256 MiB for the logs of the container.
    on_disk = _mebibytes(resources["limits"]["ephemeral-storage"])
    assert on_disk >= _mebibytes(volume["sizeLimit"]) + 256


def test_scaler_goes_by_a_metric_that_exists(manifests: Manifests) -> None:
    spec = manifests.of("HorizontalPodAutoscaler")["spec"]
    (queue,) = (m["pods"] for m in spec["metrics"] if m["type"] == "Pods")
    exposition = Metrics().exposition().decode()
    assert f"# TYPE {queue['metric']['name']} gauge" in exposition
    assert spec["scaleTargetRef"]["name"] == manifests.of("Deployment")["metadata"]["name"]


def test_one_replica_may_go_at_any_time(manifests: Manifests) -> None:
    """Two replicas at least, so that one always serves."""
    assert manifests.of("HorizontalPodAutoscaler")["spec"]["minReplicas"] >= 2
    assert manifests.of("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    rolling = manifests.of("Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 1, "maxUnavailable": 0}
    assert "replicas" not in manifests.of("Deployment")["spec"]


def test_image_has_a_version(manifests: Manifests) -> None:
    assert re.fullmatch(r"\S+:\d+\.\d+\.\d+", manifests.container["image"])


def test_overlay_puts_everything_into_its_namespace() -> None:
    production = _rendered("overlays/production")
    namespace = production.of("Namespace")["metadata"]
    others = [each for each in production.objects if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in others} == {namespace["name"]}
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_overlay_takes_keys_from_a_file_and_keeps_what_the_base_says() -> None:
    base, production = _rendered("base"), _rendered("overlays/production")
    assert base.environment.items() < production.environment.items()
    (mount,) = _mounts(production, "keys")
    assert production.environment["PELLUCID_API_KEY_FILE"].startswith(mount["mountPath"] + "/")
    assert mount["readOnly"] is True


def _probe(manifests: Manifests, name: str) -> dict[str, Any]:
    get: dict[str, Any] = manifests.container[name]["httpGet"]
    return get


def _mounts(manifests: Manifests, volume: str) -> Iterator[dict[str, Any]]:
    return (m for m in manifests.container["volumeMounts"] if m["name"] == volume)


def _mebibytes(quantity: str) -> int:
    return int(quantity.removesuffix("Mi"))
