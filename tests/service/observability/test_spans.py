"""A real server that sends its spans to a real collector, both on this machine."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.observability.metrics import STAGES
from tests.service.observability.collector import Collector, attributes_of, collecting
from tests.service.server_process import LONGEST_S, REPOSITORY, ServerProcess, environment, serving
from tests.service.tiny_models import tiny_bundle

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SECRET = "Sentinelwort"
CANARY = tiny_bundle().manifest.canary
PAIR = {"source": CANARY.pair.source, "target": CANARY.pair.target}
OFTEN = {"OTEL_BSP_SCHEDULE_DELAY": "50"}  # the SDK's own variable, milliseconds


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def server(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, "--otel-endpoint", collector.url, **OFTEN) as process:
        yield process


def test_every_stage_is_a_span_of_the_clients_trace(
    server: ServerProcess, collector: Collector
) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    reply = httpx.post(
        f"{server.url}/translate",
        json={"q": CANARY.source_text, **PAIR},
        headers=headers,
        timeout=LONGEST_S,
    )
    assert reply.headers["traceresponse"].startswith(f"00-{TRACE}-")
    spans = collector.trace(TRACE, 1 + len(STAGES))
    request = spans.pop("POST /translate")
    assert set(spans) == set(STAGES)
    assert request.parent_span_id.hex() == PARENT
    assert request.span_id.hex() == reply.headers["traceresponse"].split("-")[2]
    for span in spans.values():
        assert span.parent_span_id == request.span_id
        assert request.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano < span.end_time_unix_nano <= request.end_time_unix_nano
    assert attributes_of(spans["decode"])["pellucid.sentences"] >= 1
    (event,) = [e for e in server.events() if e.get("trace_id") == TRACE]
    assert (event["event"], event["route"], event["status"]) == ("request", "/translate", 200)
    assert min(event[x] for x in ("sentences", "source_tokens", "target_tokens")) > 0


def test_spans_name_the_service_and_contain_no_text(
    server: ServerProcess, collector: Collector
) -> None:
    wanted = {"q": SECRET, **PAIR}
    headers = {"User-Agent": SECRET, "X-Request-Id": SECRET, "Authorization": f"Bearer {SECRET}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=LONGEST_S) as client:
        client.post("/translate", params=wanted)
        client.post("/translate", json=wanted | {"source": SECRET})
        client.post("/v2/translate", json={"text": [SECRET], "target_lang": PAIR["target"]})
        client.post("/attention", json=wanted)
        client.post("/translate_file", files={"file": (f"{SECRET}.txt", SECRET)}, data=PAIR)
        with client.stream("POST", "/translate", json=wanted | {"stream": True}) as stream:
            stream.read()
        client.get(f"/{SECRET}")
        client.request(SECRET.upper(), "/translate")
    _send_last(server, collector)
    answered = {
        attributes["http.route"]
        for attributes in map(attributes_of, collector.spans)
        if attributes.get("http.response.status_code") == 200
    }
    assert {"/translate", "/v2/translate", "/attention", "/translate_file"} <= answered
    sent = b"".join(collector.bodies)
    assert SECRET.lower().encode() not in sent.lower()
    assert set(collector.paths) == {"/v1/traces"}
    (resource,) = {str(r.resource) for e in collector.exports for r in e.resource_spans}
    assert "pellucid" in resource


def test_probes_are_not_traced(server: ServerProcess, collector: Collector) -> None:
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        assert httpx.get(server.url + path, timeout=LONGEST_S).status_code == 200
    _send_last(server, collector)
    routes = {attributes_of(span).get("http.route") for span in collector.spans}
    assert not {"/livez", "/readyz", "/health", "/metrics"} & routes


def test_nothing_is_sent_unless_the_setting_says_so(tmp_path: Path) -> None:
    with collecting() as unasked:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": unasked.url,
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{unasked.url}/v1/traces",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider",
        }
        with serving(tmp_path, **OFTEN, **variables) as server:
            reply = httpx.post(
                f"{server.url}/translate", json={"q": CANARY.source_text, **PAIR}, timeout=LONGEST_S
            )
            assert reply.status_code == 200
            assert "traceresponse" not in reply.headers
            server.terminate()
            assert server.exit_code() == 0
        assert unasked.bodies == []


def test_remaining_spans_are_sent_at_the_end(tmp_path: Path) -> None:
    with (
        collecting() as collector,
        serving(tmp_path, "--otel-endpoint", collector.url) as server,
    ):
        httpx.post(
            f"{server.url}/translate", json={"q": CANARY.source_text, **PAIR}, timeout=LONGEST_S
        )
        server.terminate()
        assert server.exit_code() == 0
        assert {span.name for span in collector.spans} == {"POST /translate", *STAGES}


def test_an_unreachable_collector_costs_no_translation(tmp_path: Path) -> None:
    with collecting() as gone:
        pass
    with serving(tmp_path, "--otel-endpoint", gone.url, **OFTEN) as server:
        for _ in range(3):
            reply = httpx.post(
                f"{server.url}/translate", json={"q": CANARY.source_text, **PAIR}, timeout=LONGEST_S
            )
            assert reply.status_code == 200
        server.terminate()
        assert server.exit_code() == 0
        assert CANARY.source_text not in server.log.read_text(encoding="utf-8")


def test_start_without_the_extra_names_the_remedy() -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None; "
        "from service.cli.main import main; sys.exit(main())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "serve", "--otel-endpoint", "http://127.0.0.1:4318"],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "pip install '.[otel]'" in ended.stderr


def _send_last(server: ServerProcess, collector: Collector) -> None:
    """Wait for all spans of the requests before: they come in order."""
    trace = uuid.uuid4().hex
    httpx.get(
        f"{server.url}/languages",
        headers={"traceparent": f"00-{trace}-{PARENT}-01"},
        timeout=LONGEST_S,
    )
    collector.trace(trace, 1)
