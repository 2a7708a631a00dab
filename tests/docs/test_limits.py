"""docs/limits.md says what the code does."""

import re
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from service.api.auth.key import ApiKey
from service.api.auth.repetition import MAX_KEY_CHARS, REMEMBERED_S
from service.api.auth.reservation import MAX_REMEMBERED
from service.api.glossaries.glossaries import MAX_DICTIONARIES, MAX_TOGETHER
from service.api.glossaries.terms_file import MAX_STORED_ENTRIES
from service.api.native.compare import MAX_COMPARED_PAIRS
from service.api.refusals.pace import PaceLimits
from service.api.requests.schemas import MAX_GLOSSARY_ENTRIES
from service.api.suggestions import MAX_SUGGESTION_BYTES
from service.documents.jobs.admission import FileJobLimits
from service.engine.search.options import MAX_BEAM_SIZE
from service.inspection.throttle import ThrottleLimits
from service.observability.metrics import CANCELLATION_REASONS, REJECTION_REASONS, Metrics
from service.server.connections.connection import MAX_HEAD_BYTES
from service.server.uvicorn_server import _BACKLOG, _KEEP_ALIVE_S
from service.settings import ENV_PREFIX, Settings
from service.translation.memory.client_memory import MAX_IMPORTED_UNITS

LIMITS = Path(__file__).parents[2] / "docs" / "limits.md"
FIXED = {
    "connections not yet accepted": _BACKLOG,
    "bytes of request line and headers": MAX_HEAD_BYTES,
    "characters of an `Idempotency-Key`": MAX_KEY_CHARS,
    "attempts in progress with one `Idempotency-Key`": 1,
    "requests with one `Idempotency-Key`": 1,
    "seconds for which an `Idempotency-Key` is remembered": REMEMBERED_S,
    "ended requests of a key that are remembered": MAX_REMEMBERED,
    "width of a beam": MAX_BEAM_SIZE,
    "terms of a glossary": MAX_GLOSSARY_ENTRIES,
    "terms of a stored glossary for one pair of languages": MAX_STORED_ENTRIES,
    "pairs of languages of a stored glossary": MAX_DICTIONARIES,
    "stored glossaries of a request": MAX_TOGETHER,
    "files translated at once": FileJobLimits().max_running,
    "inspections waiting for a turn": ThrottleLimits().max_waiting,
    "seconds of an idle connection": _KEEP_ALIVE_S,
    "pairs of words between the common ends of texts to compare": MAX_COMPARED_PAIRS,
    "bytes of the file of suggestions": MAX_SUGGESTION_BYTES,
    "sentences of a TMX that a client sends": MAX_IMPORTED_UNITS,
    "held refusals of a client": PaceLimits().max_held_per_client,
    "held refusals of all clients": PaceLimits().max_held,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A numbered row of the table."""

    number: int
    name: str
    setting: str
    default: str
    beyond: str
    counted_as: str

    @property
    def settings(self) -> list[str]:
        """Fields of `Settings`."""
        return [n.lower() for n in re.findall(rf"`{ENV_PREFIX}(\w+)`", self.setting)]

    @property
    def key_options(self) -> list[str]:
        """Fields of `ApiKey`."""
        return [n.replace("-", "_") for n in re.findall(r"`--([\w-]+)`", self.setting)]

    @property
    def labels(self) -> list[str]:
        """Reasons of rejections, and names of metrics."""
        return re.findall(r"`(\w+)`", self.counted_as)


def _limits() -> list[Limit]:
    found = []
    for line in LIMITS.read_text(encoding="utf-8").splitlines():
        if not re.match(r"\| \d+ \|", line):
            continue
        number, name, setting, default, beyond, counted_as = (
            cell.strip() for cell in line.strip("|").split("|")
        )
        found.append(
            Limit(
                number=int(number),
                name=name,
                setting=setting,
                default=default,
                beyond=beyond,
                counted_as=counted_as,
            )
        )
    return found


ALL = _limits()
for_each = pytest.mark.parametrize("limit", ALL, ids=lambda limit: limit.name)


def test_limits_are_numbered() -> None:
    assert [limit.number for limit in ALL] == list(range(1, len(ALL) + 1))
    assert len(ALL) > 30


@for_each
def test_settings_exist_with_that_default(limit: Limit) -> None:
    for name in limit.settings:
        default = Settings.model_fields[name].default
        if default is None or default == ():
            assert limit.default.startswith("none"), name
        else:
            assert float(limit.default.replace(",", "")) == float(default), name


@for_each
def test_options_of_keys_exist(limit: Limit) -> None:
    assert set(limit.key_options) <= {field.name for field in fields(ApiKey)}


@for_each
def test_every_limit_says_where_it_is_set(limit: Limit) -> None:
    from_bundle = re.findall(r"bundle's `(\w+)`", limit.setting)
    is_window = limit.setting == "twice the slots of all engines"
    is_fixed = limit.setting == "fixed"
    assert limit.settings or limit.key_options or from_bundle or is_window or is_fixed
    assert is_fixed == (limit.name in FIXED)
    if is_fixed:
        assert int(limit.default.replace(",", "")) == FIXED[limit.name]


@for_each
def test_metrics_exist(limit: Limit) -> None:
    metrics = {f"{family.name}_total" for family in Metrics().registry.collect()}
    assert limit.counted_as == "-" or limit.labels
    for label in limit.labels:
        assert label in (metrics if label.startswith("pellucid_") else REJECTION_REASONS)


def test_every_reason_of_a_rejection_has_a_limit() -> None:
    assert set(REJECTION_REASONS) - {label for limit in ALL for label in limit.labels} == set()
    assert "deadline" in CANCELLATION_REASONS


def _is_limit(name: str) -> bool:
    """Whether a setting bounds requests; `max_x_s` bound how long a worker may be silent."""
    return bool(re.match(r"max_(?!.*_s$)", name)) or name.endswith("_timeout_s")


def test_every_setting_that_limits_requests_is_listed() -> None:
    listed = {name for limit in ALL for name in limit.settings}
    wanted = {name for name in Settings.model_fields if _is_limit(name)}
    assert "max_body_bytes" in wanted
    assert wanted - {"heartbeat_timeout_s", "watchdog_timeout_s"} - listed == set()
