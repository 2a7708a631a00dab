"""Two real processes, started by torchrun, train one model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.training.checkpoint import LAST_NAME, LOG_NAME, read
from tests.model.runs import config_text, new_trainer, weights_of, write_data

REPOSITORY = Path(__file__).parents[2]
FIGURES = {"batches_per_update": 2, "log_every": 1, "max_steps": 8, "checkpoint_every": 4}


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Start a module of this repository in two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", *arguments]
    malloc = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
    environment = {**os.environ, **malloc, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


def train_with_two(folder: Path, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Train with two processes in `folder / two`."""
    (folder / "run.toml").write_text(text, encoding="utf-8")
    places = [str(folder / "run.toml"), "--data", str(folder), "--out", str(folder / "two")]
    return torchrun("model", "train", *places, "--device", "cpu", *flags)


def rows(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / LOG_NAME).read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one_with_the_same_batches(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    text = config_text(**FIGURES).replace("dropout = 0.1", "dropout = 0.0")
    first = train_with_two(data, text.replace("max_steps = 8", "max_steps = 4"))
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("4 steps, ") == 1
    done = train_with_two(data, text, "--resume")
    assert done.returncode == 0, done.stderr
    new_trainer(text, data, tmp_path / "one").run()
    one, two = ([row for row in rows(tmp_path / name) if "loss" in row] for name in ("one", "two"))
    assert [row["step"] for row in two] == [row["step"] for row in one]
    for name in ("loss", "gradient_norm", "target_tokens"):
        ours, theirs = [row[name] for row in two], [row[name] for row in one]
        assert ours == pytest.approx(theirs, rel=1e-4)
    weights = weights_of(tmp_path / "one")
    for name, weight in weights_of(tmp_path / "two").items():
        torch.testing.assert_close(weight, weights[name], rtol=1e-3, atol=1e-4)
    assert len(read(tmp_path / "two" / LAST_NAME)["random_state"]) == 2


@pytest.mark.slow
def test_all_processes_skip_an_update_of_which_one_has_a_gradient_that_is_no_number(
    tmp_path: Path,
) -> None:
    data, out = write_data(tmp_path), tmp_path / "two"
    done = torchrun("tests.model.spoilt_run", config_text(**FIGURES), str(data), str(out))
    assert done.returncode == 0, done.stderr
    first, second = (read(out / f"process-{rank}.pt") for rank in range(2))
    assert first["num_skipped"] == second["num_skipped"] == 1
    assert [row["step"] for row in rows(out) if "skipped_updates" in row] == list(range(2, 9))
    for name, weight in first["weights"].items():
        assert weight.isfinite().all()
        assert torch.equal(weight, second["weights"][name])
