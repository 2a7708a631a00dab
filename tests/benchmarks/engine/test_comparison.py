import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

REPOSITORY = Path(__file__).parents[3]
KEYS = {
    *("model", "engine", "precision", "batch", "beam", "mode", "tokens_per_s", "spread"),
    *("ratio_to_ct2_int8", "identical", "bleu"),
}


@pytest.mark.slow
def test_the_engine_is_measured_from_a_bundle_alone(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="CTranslate2 comes with the extra `benchmarks`")
    words = tiny_bundle().manifest.canary.source_text.split()
    lines = [" ".join(words[: i + 1]) for i in range(len(words))]
    dev = tmp_path / "dev.tsv"
    dev.write_text("".join(f"{line}\t{line}\n" for line in lines), encoding="utf-8")
    report = tmp_path / "engine.json"
    flags = ["--bundles", str(TINY_BUNDLE), "--dev", str(dev), "--json", str(report)]
    sizes = ["--rounds", "1", "--sentences", "4", "--batches", "2", "--beams", "1"]
    command = [
        *(sys.executable, "-m", "benchmarks.engine.comparison", *flags, *sizes),
        *("--engines", "pellucid"),
    ]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(report.read_bytes())
    assert all(row.keys() >= KEYS for row in result["rows"])
    measured = {(row["engine"], row["mode"]) for row in result["rows"]}
    assert measured == {
        (engine, mode) for engine in ("pellucid", "ctranslate2") for mode in ("batch", "serving")
    }
    assert all(row["tokens_per_s"] > 0 for row in result["rows"])
    assert {row["engine"] for row in result["memory"]} == {"pellucid", "ctranslate2"}
    assert all(0 < row["imported_mb"] < row["peak_mb"] for row in result["memory"])
    assert {row["axis"] for row in result["growth"]} == {"source", "output", "batch"}
    assert all(row["reached"] > 0 for row in result["roofline"])
    assert result["steps"]


def test_what_is_missing_is_told_in_a_line(tmp_path: Path) -> None:
    flags = ["--bundles", str(tmp_path / "none"), "--dev", str(tmp_path / "dev.tsv")]
    command = [sys.executable, "-m", "benchmarks.engine.comparison", *flags]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "there is no such folder" in done.stderr
    assert "Traceback" not in done.stderr
