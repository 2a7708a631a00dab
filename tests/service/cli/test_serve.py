"""`pellucid serve`: what it says before it serves."""

import json

from tests.service.server_process import run_command


def test_former_flag_is_warned_of_in_one_line_of_the_log() -> None:
    ended = run_command("serve", "--max-hang-s", "9", "--host", "203.0.113.1")
    assert ended.returncode == 2, "the address is not ours, so it ends"
    (line,) = ended.stdout.splitlines()
    logged = json.loads(line)
    assert logged["level"] == "warning"
    assert logged["event"] == "--max-hang-s is deprecated: use --watchdog-timeout-s"
