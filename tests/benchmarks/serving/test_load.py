import json
import subprocess
import sys
from pathlib import Path

from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

REPOSITORY = Path(__file__).parents[3]


def test_the_service_is_measured_as_a_real_process(tmp_path: Path) -> None:
    pair = tiny_bundle().manifest.pairs[0]
    flags = ["--bundles", str(TINY_BUNDLE), "--source", pair.source, "--target", pair.target]
    sizes = ["--clients", "1", "2", "--requests", "4", "--mixed", "20"]
    report = tmp_path / "load.json"
    module = [sys.executable, "-m", "benchmarks.serving.load"]
    command = [*module, *flags, *sizes, "--json", str(report)]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "start to ready" in done.stdout
    result = json.loads(report.read_bytes())
    assert [row["clients"] for row in result["latency"]] == [1, 2]
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in result["latency"])
    assert result["start_to_ready_s"] > 0
    assert 0 < result["memory_mb"]["samples"][-1] <= result["memory_mb"]["peak"]
    assert result["memory_mb"]["unexpected"] == 0
