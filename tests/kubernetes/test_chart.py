"""The Helm chart: what it renders by default is the base, and what its values change."""

from typing import Any

import pytest
import yaml

from service.settings import load_settings
from tests.kubernetes.manifests import CHART, REPOSITORY, rendered, rendered_chart, run_helm

MONITORED: dict[str, Any] = {"serviceMonitor": {"enabled": True}}
OF_HELM = (
    "namespace",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
)


def _without_helms_own(value: Any) -> Any:  # noqa: ANN401 - YAML
    """Without what tells releases apart; lists of names in one order."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in OF_HELM}
        return {key: _without_helms_own(each) for key, each in kept.items()}
    if isinstance(value, list):
        found = [_without_helms_own(each) for each in value]
        is_named = all(isinstance(each, dict) and "name" in each for each in found)
        return sorted(found, key=lambda each: str(each["name"])) if is_named else found
    return value


def test_default_values_render_the_base() -> None:
    chart, base = rendered_chart(MONITORED), rendered("base")
    ours = {each["kind"]: _without_helms_own(each) for each in chart.objects}
    assert ours == {each["kind"]: _without_helms_own(each) for each in base.objects}
    assert len(chart.objects) == len(base.objects) == len(ours)


def test_monitor_is_there_if_it_was_asked_for() -> None:
    assert "ServiceMonitor" not in {each["kind"] for each in rendered_chart({}).objects}


def test_releases_do_not_find_the_pods_of_each_other() -> None:
    one, other = (rendered_chart({}, name=name) for name in ("one", "other"))
    selector = one.of("Service")["spec"]["selector"]
    assert selector.items() <= one.pod_labels.items()
    assert not selector.items() <= other.pod_labels.items()


def test_settings_keep_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {
        "drain_s": 60,
        "max_bodies_bytes": 134_217_728,
        "attention_share": 0.25,
        "pages": False,
        "log_level": "warning",
    }
    chart = rendered_chart({"settings": wanted})
    for name, value in chart.environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert {name: getattr(settings, name) for name in wanted} == wanted
    assert chart.pod["terminationGracePeriodSeconds"] == 80


def test_keys_and_bundles_are_mounted_to_be_read() -> None:
    chart = rendered_chart({"keys": {"secret": "k"}, "bundles": {"claim": "b"}})
    mounts = {mount["name"]: mount for mount in chart.container["volumeMounts"]}
    assert chart.environment["PELLUCID_API_KEY_FILE"] == "/run/secrets/pellucid/keys"
    assert mounts["keys"]["mountPath"] == "/run/secrets/pellucid"
    assert mounts["bundles"]["mountPath"] == "/var/lib/pellucid/bundles"
    assert mounts["keys"]["readOnly"] is mounts["bundles"]["readOnly"] is True
    claims = [v["persistentVolumeClaim"] for v in chart.pod["volumes"] if v["name"] == "bundles"]
    assert claims == [{"claimName": "b", "readOnly": True}]


def test_digest_wins_over_the_tag() -> None:
    digest = "sha256:" + "0" * 64
    image = {"repository": "registry.example/pellucid", "tag": "1", "digest": digest}
    assert rendered_chart({"image": image}).container["image"] == f"{image['repository']}@{digest}"


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"settings": {"api_keys": "secret"}}, "/settings/api_keys"),
        ({"settings": {"drain_s": "long"}}, "/settings/drain_s"),
        ({"replica": 3}, "replica"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], place: str) -> None:
    done = run_helm(values)
    assert done.returncode != 0
    assert place in done.stderr


def test_version_is_that_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{chart["appVersion"]}"\n' in project
