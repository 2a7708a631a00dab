"""`pellucid serve`: what it says before it serves."""

import json
import subprocess
import sys

import pytest

from tests.service.server_process import REPOSITORY, environment, run_command

VARIABLE = "OPENBLAS_NUM_THREADS"


def test_former_flag_is_warned_of_in_one_line_of_the_log() -> None:
    ended = run_command("serve", "--max-hang-s", "9", "--host", "203.0.113.1")
    assert ended.returncode == 2, "the address is not ours, so it ends"
    (line,) = ended.stdout.splitlines()
    logged = json.loads(line)
    assert logged["level"] == "warning"
    assert logged["event"] == "--max-hang-s is deprecated: use --watchdog-timeout-s"


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({VARIABLE: "3"}, "3")])
def test_numpy_has_one_thread(
    given: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the front, as in engines, which use all cores: threads would wait for each other."""
    monkeypatch.delenv(VARIABLE, raising=False)
    code = (
        "import os, sys; from service.cli.main import main; main(['serve', '--port', 'none']); "
        f"print('numpy' in sys.modules, os.environ['{VARIABLE}'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment(**given), cwd=REPOSITORY,
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert ended.stdout.split() == ["False", expected], "NumPy reads it when it is imported"
