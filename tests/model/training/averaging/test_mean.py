import argparse
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.errors import CheckpointError
from model.training.averaging.cli import register
from model.training.averaging.mean import average_checkpoints
from model.training.checkpoint import Progress, load_checkpoint, save_model
from model.transformer import Transformer
from tests.model.networks import ARCHITECTURE, random_network
from tests.model.runs import config_text


def saved(folder: Path, network: Transformer, *, step: int = 1, vocabulary: bytes = b"v") -> Path:
    folder.mkdir()
    (folder / "source.spm").write_bytes(vocabulary)
    save_model(
        folder / "best.pt",
        network.architecture,
        dict(network.named_parameters()),
        Progress(step=step),
        config_text=config_text(seed=step),
        num_pairs={"toy": step},
    )
    return folder / "best.pt"


def test_every_weight_is_the_mean_and_all_else_is_the_last_ones(tmp_path: Path) -> None:
    networks = [random_network(seed=seed) for seed in range(3)]
    paths = [saved(tmp_path / str(i), each, step=i) for i, each in enumerate(networks)]
    written = average_checkpoints(paths, tmp_path / "new" / "mean")
    assert written == tmp_path / "new" / "mean" / "averaged.pt"
    mean = load_checkpoint(written)
    assert mean.progress.step == 2
    assert mean.num_pairs == {"toy": 2}
    assert mean.config.training.seed == 2
    assert mean.tokenizer_path.read_bytes() == b"v"
    parameters = [dict(each.named_parameters()) for each in networks]
    for name, weight in mean.model.named_parameters():
        expected = (parameters[0][name] + parameters[1][name] + parameters[2][name]) / 3
        torch.testing.assert_close(weight, expected)


@pytest.mark.parametrize(
    ("network", "vocabulary", "fault"),
    [
        (random_network(replace(ARCHITECTURE, d_ff=32)), b"v", "d_ff 24, not 32"),
        (random_network(replace(ARCHITECTURE, norm_position="pre")), b"v", "norm_position post"),
        (random_network(), b"other", "another vocabulary"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, network: Transformer, vocabulary: bytes, fault: str
) -> None:
    first = saved(tmp_path / "first", random_network())
    second = saved(tmp_path / "second", network, vocabulary=vocabulary)
    with pytest.raises(CheckpointError, match=f"first.*{fault}"):
        average_checkpoints([first, second], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    spoilt = random_network()
    name, weight = list(spoilt.named_parameters())[-1]
    with torch.no_grad():
        weight.view(-1)[0] = value
    paths = [saved(tmp_path / "good", random_network()), saved(tmp_path / "spoilt", spoilt)]
    with pytest.raises(CheckpointError, match=f"spoilt.*not finite, in 1 of its.*as {name}: leave"):
        average_checkpoints(paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["average", *map(str, arguments)])
    return int(parsed.run(parsed))


def test_the_command_says_where_it_wrote_and_does_not_write_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [saved(tmp_path / str(i), random_network(seed=i)) for i in range(2)]
    out = tmp_path / "out"
    assert _run(*paths, "--out", out) == 0
    assert capsys.readouterr().out == f"{out / 'averaged.pt'}\n"
    assert _run(*paths, "--out", out) == 2
    assert "exists already" in capsys.readouterr().err
    assert _run(paths[0], "--out", tmp_path / "other") == 2
    assert "two checkpoints or more" in capsys.readouterr().err
    (tmp_path / "1" / "source.spm").unlink()
    assert _run(*paths, "--out", tmp_path / "other") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "1" / "source.spm") in line
