import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.checkpoint import (
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
from model.config import parse_config
from model.errors import CheckpointError, CorpusError
from model.preparation import CORPUS_NAME, prepare
from tests.model.runs import (
    NUM_PIECES,
    InterruptionError,
    config_text,
    interrupted_trainer,
    new_trainer,
    weights_of,
    write_data,
)

REPOSITORY = Path(__file__).parents[2]
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
    assert left == {LAST_NAME, BEST_NAME, AVERAGED_NAME, LOG_NAME, TOKENIZER_NAME, CORPUS_NAME}
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
    text = config_text()
    command = [sys.executable, "-c", KILLED_RUN, text, str(data), str(tmp_path / "parts")]
    killed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    new_trainer(text, data, tmp_path / "whole").run()
    resumed = new_trainer(text, data, tmp_path / "parts", is_resumed=True)
    resumed.resume()
    resumed.run()
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
    with pytest.raises(CheckpointError, match=f"no checkpoint to go on from: .*{missing}"):
        new_trainer(config_text(), data, out, is_resumed=True).resume()


def test_a_new_run_takes_nothing_from_one_that_was_left_behind(data: Path, out: Path) -> None:
    with pytest.raises(InterruptionError):
        interrupted_trainer(config_text(), data, out).run()
    text = config_text().replace(f"vocab_size = {NUM_PIECES}", "vocab_size = 320")
    new_trainer(text, data, out).run()
    assert load_checkpoint(out / AVERAGED_NAME).model.architecture.vocab_size == 320
    assert steps(out) == [3, 6, 9, 12]


def test_an_epoch_in_which_no_pair_is_short_enough_is_refused(data: Path, out: Path) -> None:
    text = config_text().replace("max_tokens = 64", "max_tokens = 2")
    with pytest.raises(CorpusError, match=r"data\.max_tokens"):
        new_trainer(text, data, out)


def test_development_pairs_that_are_too_long_are_left_out(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path)
    short = (data / "dev.tsv").read_text(encoding="utf-8")
    long = "the dog " * 60
    (data / "dev.tsv").write_text(f"{long}\t{long}\n{short}", encoding="utf-8")
    assert new_trainer(config_text(), data, out).run().step == 12


def test_sources_choose_and_weigh_the_pairs(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path, num_pairs=40)
    lines = (data / "train.tsv").read_text(encoding="utf-8").splitlines()
    names = ["twice", "never", "unnamed", "once"]
    text = "\n".join(line.replace("toy", names[i % 4]) for i, line in enumerate(lines))
    (data / "train.tsv").write_text(text, encoding="utf-8")
    sources = [("twice", 2.0), ("never", 0.0), ("once", 1.0)]
    listed = ", ".join(f'{{ name = "{name}", weight = {weight} }}' for name, weight in sources)
    config = parse_config(
        config_text().replace("max_tokens", f"sources = [{listed}]\nmax_tokens"), where="test"
    )
    out.mkdir()
    prepared = prepare(config, data, out)
    assert prepared.num_pairs == {"twice": 10, "once": 10}
    assert sorted(prepared.corpus.weights.tolist()) == [1.0] * 10 + [2.0] * 10
