"""Settings come from flags and environment, and say what is wrong with them."""

import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

import service
from service.errors import StartupError
from service.settings import RENAMED, Settings, flag_of, load_settings, variable_of


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.upper().startswith("PELLUCID_")]:
        monkeypatch.delenv(name)


def test_defaults_listen_on_this_machine_only() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


@pytest.mark.parametrize("name", ["metrics_token", "admin_token"])
def test_a_token_that_is_empty_is_refused(name: str) -> None:
    with pytest.raises(StartupError, match=name.replace("_", "[-_]")):
        load_settings({name: ""})


def test_variables_are_read_and_flags_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PELLUCID_PORT", "9001")
    monkeypatch.setenv("PELLUCID_MAX_TEXTS", "3")
    settings = load_settings({"port": "9002"})
    assert (settings.port, settings.max_texts) == (9002, 3)


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PELLUCID_WORKERS", "")
    assert load_settings().workers is None


def test_bundles_are_separated_like_a_path() -> None:
    assert load_settings({"bundles": "a:/b/c"}).bundles == (Path("a"), Path("/b/c"))


def test_log_level_may_be_written_in_capitals() -> None:
    assert load_settings({"log_level": "WARNING"}).log_level == "warning"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PELLUCID_PORT", "eighty", "--port or PELLUCID_PORT: Input should be a valid integer"),
        ("PELLUCID_PORT", "70000", "less than or equal to 65535"),
        ("PELLUCID_WORKERS", "0", "--workers or PELLUCID_WORKERS: Input should be greater than 0"),
        ("PELLUCID_DRAIN_S", "inf", "--drain-s or PELLUCID_DRAIN_S: Input should be a finite"),
        ("PELLUCID_DOCUMENT_CPU_TIMEOUT_S", "1e300", "than or equal to 1000000000"),
        ("PELLUCID_DRAIN_S", "1e10", "than or equal to 1000000000"),
        ("PELLUCID_DEADLINE_MS", "1" + "0" * 20, "than or equal to 1000000000000"),
        ("PELLUCID_MAX_DOCUMENT_MEMORY_BYTES", "1" + "0" * 20, "than or equal to 9007199254740992"),
        ("PELLUCID_THREADS_PER_WORKER", "10000000000", "than or equal to 1024"),
        ("PELLUCID_OTEL_ENDPOINT", "collector:4318", "PELLUCID_OTEL_ENDPOINT: String should match"),
        ("PELLUCID_OTEL_ENDPOINT", "http://", "PELLUCID_OTEL_ENDPOINT: The address has no host"),
        ("PELLUCID_OTEL_ENDPOINT", "https://:4318/", "give one such as http://collector:4318"),
        ("PELLUCID_OTEL_ENDPOINT", "http://[::1", "The address has no host"),
        ("PELLUCID_OTEL_ENDPOINT", "http://a:70000", "no valid port"),
        ("PELLUCID_BUNDLES", ":", "--bundles or PELLUCID_BUNDLES"),
        ("PELLUCID_TRUSTED_PROXIES", "10.0.0.1/8", "10.0.0.1/8 has host bits set: give addresses"),
        ("PELLUCID_TRUSTED_PROXIES", "::1, proxy", "'proxy' does not appear to be an IPv4 or IPv6"),
        ("PELLUCID_TRUSTED_PROXIES", "10.0.0.0/8,*", "or '*' alone"),
        ("PELLUCID_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("PELLUCID_HOTS", "::", "unknown setting PELLUCID_HOTS: did you mean PELLUCID_HOST?"),
        ("PELLUCID_XYZZY", "1", "unknown setting PELLUCID_XYZZY: see pellucid serve --help"),
        ("PELLUCID_PORT", "tcp://10.0.0.1:80", "PELLUCID_PORT: is set by Kubernetes"),
        ("PELLUCID_PORT_80_TCP", "tcp://10.0.0.1:80", "enableServiceLinks: false"),
    ],
)
def test_wrong_variable_is_named_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StartupError) as caught:
        load_settings()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_number_has_a_limit() -> None:
    for name, field in Settings.model_fields.items():
        if re.search(r"\b(?:int|float)\b", str(field.annotation)):
            for value in (str(1 << 64), "1e300", "inf", "nan"):
                with pytest.raises(StartupError, match=variable_of(name)):
                    load_settings({name: value})


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PELLUCID_PROT", "1")
    with pytest.raises(StartupError) as caught:
        load_settings({"port": "x", "max_texts": "-1"})
    assert all(part in str(caught.value) for part in ("PELLUCID_PROT", "--port", "--max-texts"))


def test_settings_do_not_change_once_made() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_every_setting_is_used_somewhere() -> None:
    folder = Path(service.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    assert [name for name in Settings.model_fields if f"settings.{name}" not in code] == []


def test_flag_is_the_name_with_hyphens() -> None:
    assert flag_of("max_body_bytes") == "--max-body-bytes"


@pytest.mark.parametrize(("former", "name"), RENAMED.items())
def test_former_names_still_work_and_warn_of_the_new_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, former: str, name: str
) -> None:
    monkeypatch.setenv(variable_of(former), "7.5")
    assert getattr(load_settings(), name) == 7.5
    monkeypatch.delenv(variable_of(former))
    assert getattr(load_settings({former: "8.5"}), name) == 8.5
    assert [record.getMessage() for record in caplog.records] == [
        f"{variable_of(former)} is deprecated: use {variable_of(name)}",
        f"{flag_of(former)} is deprecated: use {flag_of(name)}",
    ]


def test_flag_wins_over_a_variable_with_the_former_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PELLUCID_FAREWELL_S", "1")
    assert load_settings({"shutdown_delay_s": "2"}).shutdown_delay_s == 2
    monkeypatch.setenv("PELLUCID_SHUTDOWN_DELAY_S", "3")
    monkeypatch.delenv("PELLUCID_FAREWELL_S")
    assert load_settings({"farewell_s": "4"}).shutdown_delay_s == 4


def test_empty_variable_with_a_former_name_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PELLUCID_MAX_HANG_S", "")
    monkeypatch.setenv("PELLUCID_WATCHDOG_TIMEOUT_S", "5")
    assert load_settings().watchdog_timeout_s == 5
    assert not caplog.records


@pytest.mark.parametrize(("former", "name"), RENAMED.items())
def test_setting_given_under_both_names_is_refused(
    monkeypatch: pytest.MonkeyPatch, former: str, name: str
) -> None:
    with pytest.raises(StartupError, match=f"{flag_of(former)} and {flag_of(name)} are the same"):
        load_settings({former: "1", name: "1"})
    monkeypatch.setenv(variable_of(former), "1")
    monkeypatch.setenv(variable_of(name), "1")
    with pytest.raises(StartupError, match=f"{variable_of(former)} and {variable_of(name)} are"):
        load_settings()


def test_threads_decode_where_nothing_says_how_many_engines_there_are() -> None:
    assert load_settings().with_threads().engines == 0
    assert load_settings({"engines": 2}).with_threads().engines == 2
