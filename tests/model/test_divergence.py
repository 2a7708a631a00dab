"""Runs that meet gradients which are not finite."""

import json
import math
from pathlib import Path

import pytest

from model.errors import DivergenceError
from model.training.checkpoint import AVERAGED_NAME, LAST_NAME, LOG_NAME, load_checkpoint, read
from model.training.trainer import MAX_SKIPPED_IN_ROW
from tests.model.runs import config_text, new_trainer, spoil_gradients, weights_of, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def rows(out: Path) -> list[dict[str, float | None]]:
    lines = (out / LOG_NAME).read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_update_that_is_not_finite_is_skipped_and_counted(
    data: Path, out: Path, value: float
) -> None:
    trainer = new_trainer(config_text(), data, out)
    spoil_gradients(trainer, {3, 7}, value)
    progress = trainer.run()
    assert (progress.step, progress.num_skipped, progress.num_skipped_in_row) == (12, 2, 0)
    assert load_checkpoint(out / AVERAGED_NAME).progress == progress
    assert all(weight.isfinite().all() for weight in weights_of(out).values())
    skipped = [row for row in rows(out) if row.get("gradient_norm", 0.0) is None]
    assert [(row["step"], row["skipped_updates"]) for row in skipped] == [(3, 1), (7, 2)]


def test_a_run_without_skipped_updates_does_not_log_their_number(data: Path, out: Path) -> None:
    assert new_trainer(config_text(log_every=1), data, out).run().num_skipped == 0
    assert not any("skipped_updates" in row for row in rows(out))


def test_a_run_stops_after_several_in_a_row_and_keeps_its_checkpoint(data: Path, out: Path) -> None:
    text = config_text(max_steps=100, validate_every=99)
    trainer = new_trainer(text, data, out)
    spoil_gradients(trainer, range(6, 100))
    last = 5 + MAX_SKIPPED_IN_ROW
    with pytest.raises(DivergenceError) as stopped:
        trainer.run()
    told = str(stopped.value)
    assert told.startswith(f"{MAX_SKIPPED_IN_ROW} updates in a row, up to step {last}, ")
    assert "lower training.learning_rate" in told
    assert str(out) in told
    assert all(weight.isfinite().all() for weight in weights_of(out).values())
    # Saved every second step: what was skipped before goes on counting.
    assert read(out / LAST_NAME)["progress"]["num_skipped_in_row"] == 3
    resumed = new_trainer(text, data, out, is_resumed=True)
    resumed.resume()
    spoil_gradients(resumed, range(1, 100))
    with pytest.raises(DivergenceError, match=f"up to step {last}, "):
        resumed.run()


def test_scattered_skipped_updates_never_stop_a_run(data: Path, out: Path) -> None:
    trainer = new_trainer(config_text(max_steps=15), data, out)
    good = {MAX_SKIPPED_IN_ROW, 2 * MAX_SKIPPED_IN_ROW, 3 * MAX_SKIPPED_IN_ROW}
    spoil_gradients(trainer, set(range(1, 16)) - good)
    progress = trainer.run()
    assert (progress.step, progress.num_skipped) == (15, 12)


def test_exploding_weights_stop_a_run(data: Path, out: Path) -> None:
    """The gradients of such weights are never finite again."""
    text = config_text(max_steps=100, validate_every=99, learning_rate=1e30)
    with pytest.raises(DivergenceError):
        new_trainer(text, data, out).run()
