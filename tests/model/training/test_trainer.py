import itertools
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.errors import CheckpointError
from model.training.checkpoint import (
    AVERAGED_NAME,
    BEST_NAME,
    LAST_NAME,
    LOG_NAME,
    TOKENIZER_NAME,
    Progress,
    load_checkpoint,
    read,
    write_atomically,
)
from model.training.preparation import CORPUS_NAME, COUNTS_NAME
from tests.model.runs import (
    NUM_PIECES,
    InterruptionError,
    both_ways,
    config_text,
    interrupted_trainer,
    new_trainer,
    shift_task_text,
    weights_of,
    write_data,
    write_shift_task,
)

REPOSITORY = Path(__file__).parents[3]
KILLED_RUN = """
import sys
from pathlib import Path
import torch
from tests.model.runs import interrupted_trainer
torch.set_num_threads(1)
text, data, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
interrupted_trainer(text, data, out, is_killed=True).run()
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


every_optimizer = pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "muon", "schedule": "trapezoid", "precision": "bf16"}],
    ids=["adam", "muon in bfloat16"],
)


def rows(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / LOG_NAME).read_text().splitlines()]


def steps(out: Path) -> list[float]:
    """Steps after which a run has validated."""
    return [row["step"] for row in rows(out) if "bleu" in row]


def curve(out: Path) -> list[dict[str, float]]:
    """All rows of a run's log, without what the clock decides."""
    return [
        {name: value for name, value in row.items() if name not in ("minutes", "rate")}
        for row in rows(out)
    ]


def place(progress: Progress) -> tuple[float, ...]:
    """All of a run's progress that does not depend on the clock."""
    return (progress.step, progress.epoch, progress.position, progress.best_chrf)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_loss_falls(data: Path, out: Path) -> None:
    text = config_text(max_steps=100, validate_every=25, learning_rate=1e-2, warmup_steps=10)
    progress = new_trainer(text, data, out).run()
    assert progress.step == 100
    losses = [row["dev_loss"] for row in rows(out) if "dev_loss" in row]
    assert len(losses) == 4
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]


def test_a_run_leaves_what_is_needed_to_go_on_and_to_export(data: Path, out: Path) -> None:
    text = config_text(max_steps=7, average_decay=0.0)
    progress = new_trainer(text, data, out).run()
    left = {path.name for path in out.iterdir()}
    assert left == {
        *(LAST_NAME, BEST_NAME, AVERAGED_NAME, LOG_NAME),
        *(TOKENIZER_NAME, CORPUS_NAME, COUNTS_NAME),
    }
    averaged, best = load_checkpoint(out / AVERAGED_NAME), load_checkpoint(out / BEST_NAME)
    assert averaged.progress == progress
    assert averaged.num_pairs == {"toy": 120}
    assert averaged.config_text == text
    assert best.progress.step <= 7
    assert best.progress.best_chrf == progress.best_chrf
    masters = read(out / LAST_NAME)["optimizer"]["masters"]
    # Without a memory the average is what was trained.
    assert same(masters, dict(averaged.model.named_parameters()))


@every_optimizer
def test_the_same_seed_gives_the_same_weights(
    data: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    for name in ("a", "b"):
        new_trainer(config_text(**changes), data, tmp_path / name).run()
    new_trainer(config_text(seed=2, **changes), data, tmp_path / "c").run()
    assert same(weights_of(tmp_path / "a"), weights_of(tmp_path / "b"))
    assert not same(weights_of(tmp_path / "a"), weights_of(tmp_path / "c"))


@every_optimizer
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    data: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    text = config_text(**changes)
    whole = new_trainer(text, data, tmp_path / "whole").run()
    with pytest.raises(InterruptionError):
        interrupted_trainer(text, data, tmp_path / "parts").run()
    assert read(tmp_path / "parts" / LAST_NAME)["progress"]["step"] == 4
    resumed = new_trainer(text, data, tmp_path / "parts", is_resumed=True)
    resumed.resume()
    assert place(resumed.run()) == place(whole)
    assert same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts"))
    best = [read(tmp_path / name / BEST_NAME)["weights"] for name in ("whole", "parts")]
    assert same(*best)
    assert steps(tmp_path / "parts") == steps(tmp_path / "whole")


def test_a_run_whose_process_is_killed_ends_as_if_it_had_not_been(
    data: Path, tmp_path: Path
) -> None:
    text = config_text(log_every=1)
    command = [sys.executable, "-c", KILLED_RUN, text, str(data), str(tmp_path / "parts")]
    killed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    new_trainer(text, data, tmp_path / "whole").run()
    resumed = new_trainer(text, data, tmp_path / "parts", is_resumed=True)
    resumed.resume()
    resumed.run()
    assert len(curve(tmp_path / "whole")) == 12 + 4
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    assert same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts"))


def test_a_finished_run_that_is_resumed_stays_as_it_is(data: Path, out: Path) -> None:
    new_trainer(config_text(), data, out).run()
    before, lines = weights_of(out), rows(out)
    again = new_trainer(config_text(), data, out, is_resumed=True)
    again.resume()
    assert again.run().step == 12
    assert same(before, weights_of(out))
    assert rows(out) == lines


def test_a_run_of_another_configuration_is_not_resumed(data: Path, out: Path) -> None:
    new_trainer(config_text(), data, out).run()
    other = new_trainer(config_text(learning_rate=1.0), data, out, is_resumed=True)
    with pytest.raises(CheckpointError, match="another configuration"):
        other.resume()


def test_a_run_without_a_checkpoint_is_not_resumed(data: Path, out: Path) -> None:
    trainer = new_trainer(config_text(), data, out)
    with pytest.raises(CheckpointError, match=r"last\.pt cannot be read"):
        trainer.resume()


@pytest.mark.parametrize("missing", ["optimizer", "random_state", "progress"])
def test_a_checkpoint_that_lacks_something_is_refused(data: Path, out: Path, missing: str) -> None:
    new_trainer(config_text(), data, out).run()
    content = read(out / LAST_NAME)
    del content[missing]
    write_atomically(out / LAST_NAME, content)
    with pytest.raises(CheckpointError, match=f"cannot be resumed from: .*{missing}"):
        new_trainer(config_text(), data, out, is_resumed=True).resume()


def test_a_new_run_takes_nothing_from_one_that_was_left_behind(data: Path, out: Path) -> None:
    with pytest.raises(InterruptionError):
        interrupted_trainer(config_text(), data, out).run()
    text = config_text().replace(f"vocab_size = {NUM_PIECES}", "vocab_size = 320")
    new_trainer(text, data, out).run()
    assert load_checkpoint(out / AVERAGED_NAME).model.architecture.vocab_size == 320
    assert steps(out) == [3, 6, 9, 12]


@pytest.mark.parametrize(
    "changes",
    [
        {"max_steps": 14},
        {"max_steps": 12, "schedule": "trapezoid", "decay_start": 0.5},
        {"label_smoothing": 0.2},
        {"validate_every": 5, "checkpoint_every": 6, "validation_sentences": 2},
    ],
)
def test_a_run_goes_on_with_another_budget_and_other_weights(
    data: Path, out: Path, changes: dict[str, object]
) -> None:
    new_trainer(config_text(max_steps=10), data, out).run()
    text = config_text(**{"max_steps": 12} | changes)
    resumed = new_trainer(text, data, out, is_resumed=True)
    resumed.resume()
    assert resumed.run().step == changes.get("max_steps", 12)
    assert load_checkpoint(out / AVERAGED_NAME).config_text == text


def test_a_run_ends_in_a_decay_when_it_is_asked_to(data: Path, out: Path) -> None:
    text = config_text(max_steps=60, schedule="trapezoid", decay_start=0.99, checkpoint_every=50)
    new_trainer(text, data, out).run()
    longer = text.replace("max_steps = 60", "max_steps = 1_000_000")
    resumed = new_trainer(longer, data, out, is_resumed=True)
    resumed.resume()
    before = read(out / LAST_NAME)["progress"]["seconds"]
    resumed.decay_within(before / 60)
    progress = resumed.run()
    assert progress.seconds >= 2 * before
    assert progress.step > 60
    factors = [row["learning_rate"] for row in rows(out) if "learning_rate" in row]
    assert factors[0] == 1
    # It is remembered: another resume finds the run at its end.
    again = new_trainer(longer, data, out, is_resumed=True)
    again.resume()
    # The clock goes on while the last checkpoint is written.
    assert replace(again.run(), seconds=0.0) == replace(progress, seconds=0.0)


def test_a_budget_of_minutes_is_counted_by_the_clock_that_is_given(data: Path, out: Path) -> None:
    text = config_text(max_steps=100, max_minutes=3, validate_every=1000)
    ticks = itertools.count(step=60)  # each update reads it twice: it takes a minute
    progress = new_trainer(text, data, out, clock=lambda: float(next(ticks))).run()
    assert progress.step == 3


def test_a_run_can_begin_with_the_weights_of_another(data: Path, tmp_path: Path) -> None:
    new_trainer(config_text(), data, tmp_path / "first").run()
    start = tmp_path / "first" / AVERAGED_NAME
    text = both_ways(config_text(max_steps=1, learning_rate=1e-9, seed=2))
    progress = new_trainer(text, data, tmp_path / "second", start=start).run()
    assert progress.step == 1
    ours, theirs = load_checkpoint(tmp_path / "second" / AVERAGED_NAME), load_checkpoint(start)
    assert ours.tokenizer_path.read_bytes() == theirs.tokenizer_path.read_bytes()
    for mine, other in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_weights_of_another_shape_are_no_beginning(data: Path, tmp_path: Path) -> None:
    new_trainer(config_text(max_steps=1), data, tmp_path / "first").run()
    text = config_text().replace("d_ff = 32", "d_ff = 40")
    with pytest.raises(CheckpointError, match=r"inner\.weight: \[32, 16\], not \[40, 16\]"):
        new_trainer(text, data, tmp_path / "second", start=tmp_path / "first" / AVERAGED_NAME)


def test_weights_of_another_vocabulary_are_no_beginning(data: Path, tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("second", 2)):
        kind = "unigram" if name == "second" else "bpe"
        text = config_text(max_steps=1, seed=seed).replace("bpe", kind)
        new_trainer(text, data, tmp_path / name).run()
    trainer = new_trainer(text, data, tmp_path / "second", is_resumed=True)
    with pytest.raises(CheckpointError, match="another vocabulary"):
        trainer.begin_from(tmp_path / "first" / AVERAGED_NAME)


def test_one_model_learns_both_directions(tmp_path: Path, out: Path) -> None:
    """Each word becomes the next in one direction and the one before in the other."""
    data = write_shift_task(tmp_path)
    new_trainer(shift_task_text(), data, out).run()
    scores = rows(out)[-1]
    assert scores["chrf"] == pytest.approx(
        (scores["dev en-de chrf"] + scores["dev de-en chrf"]) / 2, abs=1e-4
    )
    # The words are the same in both: only the piece before the source tells which is wanted.
    assert scores["dev en-de chrf"] > 70
    assert scores["dev de-en chrf"] > 70
