"""What a run can do beside training: add up batches, stop early, average, draw its curve."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboardX.proto.event_pb2 import Event

from model.config import parse_config
from model.data.batching import EncodedCorpus, epoch_batches
from model.errors import ConfigError
from model.training.averaging.recent_weights import RecentWeights
from model.training.checkpoint import (
    AVERAGED_NAME,
    BEST_NAME,
    BOARD_NAME,
    LOG_NAME,
    RECENT_NAME,
    Progress,
    load_checkpoint,
    read,
)
from model.training.monitoring.progress_bar import describe, perplexity
from model.training.preparation import CORPUS_NAME, prepare
from model.training.processes import Processes, joined_processes
from model.training.trainer import Trainer
from model.training.validation import ValidationScores
from tests.model.runs import (
    InterruptionError,
    config_text,
    interrupted_trainer,
    new_trainer,
    weights_of,
    write_data,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def rows(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / LOG_NAME).read_text().splitlines()]


def without_dropout(**training: object) -> str:
    return config_text(**training).replace("dropout = 0.1", "dropout = 0.0")


def test_an_update_of_several_batches_is_that_of_one_large_batch(
    data: Path, tmp_path: Path
) -> None:
    """A whole epoch is one update, as one batch or as many: only the order of sums differs."""
    figures = {"max_steps": 3, "log_every": 1, "validate_every": 9, "label_smoothing": 0.1}
    new_trainer(without_dropout(batch_tokens=100_000, **figures), data, tmp_path / "one").run()
    one = rows(tmp_path / "one")
    with np.load(tmp_path / "one" / CORPUS_NAME) as arrays:
        corpus = EncodedCorpus(**arrays)
    num_batches = len(epoch_batches(corpus, batch_tokens=400, seed=1, epoch=0))
    many = without_dropout(batches_per_update=num_batches, **figures)
    new_trainer(many, data, tmp_path / "many").run()
    assert num_batches > 3
    for large, small in zip(one, rows(tmp_path / "many"), strict=True):
        assert small["target_tokens"] == large["target_tokens"]
        for name in ("loss", "gradient_norm", "dev_loss"):
            if name in large:
                assert small[name] == pytest.approx(large[name], rel=1e-3)


def test_an_interrupted_run_of_added_up_batches_ends_as_if_it_had_not_been(
    data: Path, tmp_path: Path
) -> None:
    text = config_text(batches_per_update=3, average_checkpoints=2, log_every=1)
    new_trainer(text, data, tmp_path / "whole").run()
    with pytest.raises(InterruptionError):
        interrupted_trainer(text, data, tmp_path / "parts").run()
    resumed = new_trainer(text, data, tmp_path / "parts", is_resumed=True)
    resumed.resume()
    resumed.run()
    whole, parts = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    means = [read(tmp_path / name / AVERAGED_NAME)["weights"] for name in ("whole", "parts")]
    assert all(torch.equal(means[0][name], means[1][name]) for name in means[0])


def test_a_run_that_no_longer_improves_ends_early_and_stays_ended(data: Path, out: Path) -> None:
    # Without a learning rate to speak of no validation is better than the first.
    text = config_text(max_steps=100, patience=2, learning_rate=1e-12)
    progress = new_trainer(text, data, out).run()
    assert progress.step == 9
    assert progress.num_stale == 2
    assert load_checkpoint(out / BEST_NAME).progress.step == 3
    again = new_trainer(text, data, out, is_resumed=True)
    again.resume()
    assert again.run().step == 9
    patient = new_trainer(text.replace("patience = 2", "patience = 3"), data, out, is_resumed=True)
    patient.resume()
    assert patient.run().step == 12


def test_a_decay_that_was_asked_for_is_not_cut_short_by_patience(data: Path, out: Path) -> None:
    text = config_text(max_steps=100, patience=1, learning_rate=1e-12, schedule="trapezoid")
    assert new_trainer(text, data, out).run().step == 6
    resumed = new_trainer(text, data, out, is_resumed=True)
    resumed.resume()
    resumed.decay_within(0.005)
    assert resumed.run().step > 6


def test_a_run_ends_with_the_mean_of_its_last_checkpoints(data: Path, out: Path) -> None:
    text = config_text(average_checkpoints=3, average_decay=0.0)
    new_trainer(text, data, out).run()
    kept = sorted(int(path.stem) for path in (out / RECENT_NAME).iterdir())
    assert kept == [6, 9, 12]
    weights = [read(out / RECENT_NAME / f"{step}.pt") for step in kept]
    mean = dict(load_checkpoint(out / AVERAGED_NAME).model.named_parameters())
    for name, weight in mean.items():
        expected = (weights[0][name] + weights[1][name] + weights[2][name]) / 3
        torch.testing.assert_close(weight.detach(), expected)


def test_weights_of_later_steps_are_discarded(tmp_path: Path) -> None:
    recent = RecentWeights(tmp_path / "recent", 3)
    assert recent.mean() is None
    for step in (2, 4, 10, 12):
        recent.add(step, {"w": torch.full((2,), float(step))})
    recent.discard_after(10)
    mean = recent.mean()
    assert mean is not None
    assert mean["w"].tolist() == [7.0, 7.0]


def test_tensorboard_has_the_curve_of_the_log(data: Path, out: Path) -> None:
    text = config_text(log_every=3)
    out.mkdir()
    config = parse_config(text, where="test")
    Trainer(config, text, prepare(config, data, out), out, has_board=True).run()
    drawn = {
        (event.step, value.tag): value.simple_value
        for event in events(out / BOARD_NAME)
        for value in event.summary.value
    }
    logged = {
        (row["step"], name): value
        for row in rows(out)
        for name, value in row.items()
        if name not in ("step", "target_tokens", "minutes")
    }
    assert drawn.keys() == logged.keys()
    assert {name for _, name in drawn} >= {"loss", "learning_rate", "bleu", "chrf", "dev_loss"}
    for key, value in logged.items():
        assert drawn[key] == pytest.approx(value, rel=1e-3, abs=1e-4)


def events(folder: Path) -> list[Event]:
    """Records of TensorBoard's files: length, checksum, event, checksum."""
    found = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            found.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return found


def test_scores_are_shown_with_perplexity_and_samples() -> None:
    scores = ValidationScores(loss=1.0, bleu=10.0, chrf=30.0, samples=(("a", "b", "c"),))
    told = describe(Progress(step=7, seconds=90.0), {"dev en-de": scores})
    assert told.splitlines() == [
        "step 7, 1.5 min",
        "dev en-de: loss 1.000, perplexity 2.72, BLEU 10.0, chrF 30.0",
        *("  a", "  -> b", "  =  c"),
    ]
    assert perplexity(1e4) == float("inf")


def test_processes_share_out_an_update_evenly() -> None:
    second = Processes(rank=1, count=2)
    second.check_shares(4)
    assert list(second.share("abcd")) == ["b", "d"]
    with pytest.raises(ConfigError, match="batches_per_update: 3 is no multiple of the 2"):
        second.check_shares(3)


def test_a_checkpoint_of_one_process_may_hold_its_state_alone() -> None:
    """As those of earlier versions do."""
    torch.manual_seed(3)
    state = torch.get_rng_state()
    expected = torch.rand(2)
    for saved in (state, state[None], Processes().random_states()):
        torch.manual_seed(4)
        Processes().set_random_state(saved if saved.equal(state) else state[None])
        assert torch.equal(torch.rand(2), expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_a_missing_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="torch sees no CUDA device"), joined_processes("cuda"):
        pass
