"""The contract holds, whatever is asked."""

from pathlib import Path

import httpx
import pytest

from tests.end_to_end.fuzz import FLAGS, MOST_LATE, fuzz, share_of_late_timers
from tests.service.server_process import LONGEST_S, serving

pytestmark = pytest.mark.slow


def test_two_thousand_made_up_requests_find_no_server_error_and_nothing_undocumented(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, *FLAGS) as server:
        run = fuzz(server, tmp_path, examples=90, seed=20)
        assert run.has_passed, run.report
        assert run.num_cases >= 2_000
        assert share_of_late_timers(server) <= MOST_LATE
        assert httpx.get(f"{server.url}/readyz", timeout=LONGEST_S).status_code == 200
        crashes = [event for event in server.events() if event["event"] == "request crashed"]
    assert crashes == []
