"""Nothing about the use of this service leaves the machine (docs/decisions/0010)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
SWITCHES = ("CI", "ORT_DISABLE_TELEMETRY", "PYTEST_CURRENT_TEST", "XDG_CACHE_HOME")


@pytest.mark.parametrize("module", ["service.engine.graphs.sessions", "service.server.app"])
def test_loading_the_engine_leaves_no_identifier_and_no_queue_of_reports(
    module: str, tmp_path: Path
) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    code = f"import {module}, onnxruntime"
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**kept, "HOME": str(tmp_path)},
        check=True,
    )
    assert list(tmp_path.rglob("*")) == []
