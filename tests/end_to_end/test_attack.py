"""What attacks are made of, and the judgement on what they did."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import httptools
import pytest

from service.settings import load_settings
from tests.end_to_end.attack import HEADER, Outcome, attacked, baseline_of, process_target
from tests.end_to_end.attacks import ATTACKS, Attack, Reading
from tests.end_to_end.bystander import Bystander, Seen, percentile
from tests.end_to_end.memory_cgroup import NoCgroupError, memory_cgroup
from tests.service.tiny_models import TINY_BUNDLE

KEY = "k" * 40
for_each = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)


class Parsed:
    """What httptools finds in a request."""

    def __init__(self, data: bytes) -> None:
        self.num_whole = 0
        self.headers: dict[str, str] = {}
        httptools.HttpRequestParser(self).feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_message_complete(self) -> None:
        self.num_whole += 1


@for_each
def test_requests_are_valid_http_within_the_limits_of_the_service(attack: Attack) -> None:
    settings = load_settings({})
    for request in attack.requests():
        is_file = request.path == "/translate_file"
        most = settings.max_file_bytes if is_file else settings.max_body_bytes
        assert len(request.body) <= most
        parsed = Parsed(request.head(KEY) + request.body)
        assert parsed.num_whole == 1
        assert ("authorization" in parsed.headers) == request.has_key


def test_names_are_told_apart_and_every_finding_that_a_client_can_cause_has_one() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert {attack.finding for attack in ATTACKS} == {1, 2, 3, 4, 5, 8}
    assert {r.reading for attack in ATTACKS for r in attack.requests()} == set(Reading)


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0] * 99 + [7.0], 0.99) == 7.0
    assert percentile([], 0.5) == float("inf")


def seen(seconds: float, **statuses: int) -> Seen:
    counted = Counter({name.removeprefix("s"): number for name, number in statuses.items()})
    return Seen(seconds=[seconds] * 100, statuses=counted)


def outcome(bystander: Bystander, **changes: object) -> Outcome:
    usual = {"probes": seen(0.005, s200=100), "translations": seen(0.05, s200=100)}
    values: dict[str, object] = {
        "name": "test",
        "bystander": bystander,
        "baseline": Bystander(url="", key="", **usual),
        "is_alive": True,
        "has_kept_its_engines": True,
        "most_rss_bytes": 300 << 20,
        "statuses": {},
        "error_bytes": {"names": 200},
    }
    return Outcome(**values | changes)  # type: ignore[arg-type]


def bystander(probe_s: float, translation_s: float, **statuses: int) -> Bystander:
    return Bystander(
        url="",
        key="",
        probes=seen(probe_s, s200=100),
        translations=seen(translation_s, **statuses or {"s200": 100}),
    )


def test_within_all_bounds_there_is_no_fault() -> None:
    assert outcome(bystander(0.1, 0.149)).faults() == []


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (outcome(bystander(0.106, 0.05)), "/livez is 101 ms slower"),
        (outcome(bystander(0.005, 0.16)), "another key waits 3.2 times as long"),
        (outcome(bystander(0.005, 0.05, s200=9, s429=1)), "another key lost 1: "),
        (outcome(bystander(0.005, 0.05), is_alive=False), "the process ended"),
        (outcome(bystander(0.005, 0.05), has_kept_its_engines=False), "an engine ended"),
        (outcome(bystander(0.005, 0.05), most_rss_bytes=601 << 20), "601 MB resident"),
        (outcome(bystander(0.005, 0.05), error_bytes={"a": 4097}), "an error of 4097 bytes to a"),
    ],
)
def test_each_bound_that_is_exceeded_is_a_fault(found: Outcome, fault: str) -> None:
    (only,) = found.faults()
    assert only.startswith(fault)


def test_a_row_has_the_columns_of_the_header() -> None:
    found = outcome(bystander(0.025, 0.1), statuses={"names": {"429": 7, "200": 9}})
    columns = ["test", "+20", "25", "50", "100", "2.0", "300", "9", "200,", "7", "429"]
    assert found.row().split() == columns
    assert HEADER.split("\n")[1].split()[-3:] == ["ratio", "MB", "replies"]


def test_a_process_in_a_group_cannot_have_more_memory() -> None:
    code = "import sys; open(sys.argv[1], 'w').write('0'); bytearray(200 << 20)"
    try:
        with memory_cgroup(100 << 20) as group:
            command = [sys.executable, "-c", code, str(group.processes)]
            ended = subprocess.run(command, capture_output=True, check=False)
            assert ended.returncode == -9
            assert group.peak_bytes is None or group.peak_bytes <= 100 << 20
            assert not group.processes.read_text("ascii")
        assert not group.folder.exists()
    except NoCgroupError as error:
        pytest.skip(f"no control group can be made here: {error}")


@pytest.mark.slow
def test_an_attack_on_a_real_server_is_counted_and_watched(tmp_path: Path) -> None:
    names = [attack for attack in ATTACKS if attack.name == "wrong-keys"]
    with process_target(tmp_path, TINY_BUNDLE) as target:
        baseline = baseline_of(target, 2.0)
        assert set(baseline.translations.statuses) == {"200"}
        found = attacked(target, names, baseline, seconds=3.0)
        assert found.is_alive
        assert found.has_kept_its_engines
        assert len(target.engines) == 1
        assert found.most_rss_bytes > 20 << 20
        assert found.statuses["wrong-keys"]["403"] > 0
        assert 0 < found.error_bytes["wrong-keys"] < 4096
        assert found.bystander.translations.statuses["200"] > 0
    assert not target.is_alive
