"""Alerts and dashboard, asked of a real Prometheus that watches a real server under load."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any

import pytest

from tests.docker.prometheus import FOLDER, Prometheus, promtool, watching
from tests.docker.reply import ask
from tests.service.server_process import serving

DASHBOARD = FOLDER.parent / "grafana" / "dashboards" / "pellucid.json"
VARIABLES = {"$__rate_interval": "10m", "$instance": ".*"}
OURS = re.compile(r"\b(?:pellucid|process)_\w+")
pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None and os.environ.get("CI") != "true",
    reason="Prometheus is not installed: apt-get install prometheus",
)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen some load."""
    folder = tmp_path_factory.mktemp("monitoring")
    with (
        serving(folder, "--canary-interval-s", "1") as server,
        watching(folder, server.url.removeprefix("http://")) as prometheus,
    ):
        prometheus.wait_for('up{job="pellucid"} == 1')
        with ThreadPoolExecutor(8) as clients:
            replies = list(clients.map(lambda i: _translate(server.url, i), range(64)))
        assert set(replies) == {200}
        assert ask(f"{server.url}/translate", {"source": "en"}).status == 400
        # Rates need more than one sample of a series.
        prometheus.wait_for('count_over_time(pellucid_requests_total{status="400"}[1m]) > 2')
        yield prometheus


def test_configuration_and_rules_are_accepted() -> None:
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_are_raised_where_they_must_be_and_nowhere_else() -> None:
    done = promtool("test", "rules", "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_raised_by_a_test() -> None:
    raised = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", _text("alerts_test.yml"))
    assert set(raised) == set(re.findall(r"- alert: (\w+)", _text("alerts.yml")))


def test_every_alert_is_evaluated(watched: Prometheus) -> None:
    watched.wait_for("prometheus_rule_group_last_evaluation_timestamp_seconds > 0")
    rules = _alert_rules(watched)
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    assert [rule for rule in rules if rule["state"] == "firing"] == []
    assert len(rules) == _text("alerts.yml").count("- alert:")


def test_every_metric_that_an_alert_asks_for_exists(watched: Prometheus) -> None:
    asked = {name for rule in _alert_rules(watched) for name in OURS.findall(rule["query"])}
    assert asked
    assert watched.without_value(f"count({name})" for name in sorted(asked)) == []


def test_every_panel_shows_something(watched: Prometheus) -> None:
    queries = [query for panel in _panels() for query in _queries(panel)]
    assert len(queries) > len(_panels())
    assert watched.without_value(queries) == []


def test_replicas_can_be_chosen_among(watched: Prometheus) -> None:
    _, instance = _dashboard()["templating"]["list"]
    metric = re.fullmatch(r"label_values\((\w+), instance\)", instance["query"]["query"])
    assert metric
    assert watched.query(metric[1]) == [1.0]


def test_panels_have_numbers_and_places_of_their_own() -> None:
    panels = _dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [
        (one["title"], other["title"])
        for one, other in combinations(panels, 2)
        if _overlap(one["gridPos"], other["gridPos"])
    ] == []
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in panels) == 24


def test_dashboard_asks_the_source_that_is_chosen() -> None:
    sources = {json.dumps(panel["datasource"], sort_keys=True) for panel in _panels()}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}


def _translate(url: str, number: int) -> int:
    fields = {"q": f"Number {number} is here. So is its neighbour.", "source": "en", "target": "de"}
    return ask(f"{url}/translate", fields).status


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _alert_rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.read("rules")["groups"] for rule in group["rules"]]


def _dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return read


def _panels() -> list[dict[str, Any]]:
    return [panel for panel in _dashboard()["panels"] if panel["type"] != "row"]


def _queries(panel: dict[str, Any]) -> list[str]:
    queries = [str(target["expr"]) for target in panel["targets"]]
    for variable, value in VARIABLES.items():
        queries = [query.replace(variable, value) for query in queries]
    return queries


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)
