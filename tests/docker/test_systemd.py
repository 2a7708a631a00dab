"""The unit of systemd: what its own programs say of it, and which system calls a server makes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pellucid import Client
from service.settings import load_settings
from tests.service.server_process import serving

REPOSITORY = Path(__file__).parents[2]
UNIT = REPOSITORY / "docker" / "systemd" / "pellucid.service"
CALL = re.compile(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]")


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def _settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    (start,) = _settings()["ExecStart"]
    unit.write_text(text.replace(start, f"{sys.executable} -m service"), encoding="utf-8")
    done = _analyze("verify", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_wrong_units_are_found(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text("[Service]\nExecStart=/bin/true\nProtectHme=yes\n", encoding="utf-8")
    assert "ProtectHme" in _analyze("verify", str(unit)).stderr


def test_exposure_is_low() -> None:
    done = _analyze("security", "--offline=true", str(UNIT))
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None
    assert float(found[1]) <= 1.5


def test_service_has_the_time_that_its_shutdown_takes() -> None:
    settings = load_settings({})
    (stop,) = _settings()["TimeoutStopSec"]
    assert int(stop) > settings.shutdown_delay_s + settings.drain_s + 5
    assert _settings()["KillMode"] == ["control-group"]


@pytest.mark.slow
def test_a_server_makes_only_system_calls_that_the_unit_allows(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    allowed = _allowed()
    log = tmp_path / "calls"
    module = "tests.docker.traced_service"
    with (
        serving(tmp_path, "--engines", "1", module=module, SYSTEM_CALLS=str(log)) as server,
        Client(server.url, "en", "de") as client,
    ):
        client.translate("ab cd.")
        client.detect("ab cd.")
        client.attention("ab cd.").png()
        server.terminate()
        assert server.exit_code() == 0
    found = (CALL.match(line) for line in log.read_text(encoding="utf-8").splitlines())
    calls = {match[1] for match in found if match}
    assert len(calls) > 40
    assert calls - allowed == set()


def _allowed() -> set[str]:
    """System calls of the unit's filter."""
    groups: dict[str, set[str]] = {}
    name = ""
    for line in _analyze("syscall-filter").stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
        elif name and line.strip() and not line.strip().startswith("#"):
            groups.setdefault(name, set()).add(line.strip())
    allowed: set[str] = set()
    for part in _settings()["SystemCallFilter"]:
        members = _members(part.removeprefix("~"), groups)
        allowed = allowed - members if part.startswith("~") else allowed | members
    return allowed


def _members(name: str, groups: dict[str, set[str]]) -> set[str]:
    if not name.startswith("@"):
        return {name}
    return {call for part in groups[name] for call in _members(part, groups)}
