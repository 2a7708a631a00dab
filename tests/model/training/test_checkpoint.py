import pickle
import warnings
from pathlib import Path

import pytest
import torch

from model.architecture import Architecture
from model.errors import CheckpointError
from model.training.checkpoint import (
    Progress,
    load_checkpoint,
    load_weights,
    read,
    save_model,
    write_atomically,
)
from model.transformer import Transformer
from tests.model.networks import CONFIGURATIONS, random_ids, random_network
from tests.model.runs import config_text

PROGRESS = Progress(step=7, epoch=1, position=2, target_tokens=99, seconds=1.5, best_chrf=3.0)


def save(path: Path, network: Transformer) -> None:
    save_model(
        path,
        network.architecture,
        dict(network.named_parameters()),
        PROGRESS,
        config_text=config_text(),
        num_pairs={"toy": 5},
    )


@pytest.mark.parametrize("architecture", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_a_model_comes_back_as_it_was(tmp_path: Path, architecture: Architecture) -> None:
    network = random_network(architecture)
    save(tmp_path / "best.pt", network)
    loaded = load_checkpoint(tmp_path / "best.pt")
    source, target = random_ids(2, 5), random_ids(2, 4)
    assert torch.equal(loaded.model(source, None, target), network(source, None, target))
    assert not loaded.model.training
    assert loaded.model.architecture == network.architecture
    assert (loaded.progress, loaded.num_pairs) == (PROGRESS, {"toy": 5})
    assert loaded.config_text == config_text()
    assert loaded.config.name == "tiny"
    assert loaded.tokenizer_path == tmp_path / "source.spm"


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    save(tmp_path / "best.pt", random_network())
    weights = read(tmp_path / "best.pt")["weights"]
    assert "source_embedding.weight" in weights
    assert not {"target_embedding.weight", "output_projection.weight"} & weights.keys()


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, length: int) -> None:
    path = tmp_path / "best.pt"
    save(path, random_network())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"best\.pt cannot be read"):
        load_checkpoint(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"best\.pt cannot be read"):
        load_checkpoint(tmp_path / "best.pt")


class _Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_file_is_refused_and_never_run(tmp_path: Path, writer: str) -> None:
    path, sprung = tmp_path / "best.pt", tmp_path / "sprung"
    with path.open("wb") as file:
        trap = {"weights": _Trap(sprung)}
        if writer == "torch":
            torch.save(trap, file)
        else:
            pickle.dump(trap, file)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(CheckpointError, match=r"best\.pt cannot be read"):
            load_checkpoint(path)
    assert not sprung.exists()
    assert seen == [], "no advice of another library"


@pytest.mark.parametrize("content", [{}, {"architecture": {}}, [1, 2]])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "best.pt")
    with pytest.raises(CheckpointError, match=r"best\.pt is no .*checkpoint"):
        load_checkpoint(tmp_path / "best.pt")


def test_weights_that_do_not_fit_are_all_named() -> None:
    weights = {n: p.detach() for n, p in random_network().named_parameters()}
    del weights["output_projection.bias"]
    weights["surplus"] = torch.zeros(1)
    weights["encoder.layers.0.feed_forward.inner.bias"] = torch.zeros(3)
    with pytest.raises(CheckpointError) as refused:
        load_weights(random_network(), weights)
    told = str(refused.value)
    assert "output_projection.bias: missing" in told
    assert "surplus: unknown" in told
    assert "encoder.layers.0.feed_forward.inner.bias: [3], not [24]" in told


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    save(path, random_network())
    content = read(path)
    content["architecture"]["d_ff"] = 25
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"feed_forward\.inner\.weight: \[24, 16\]"):
        load_checkpoint(path)


def test_the_state_of_a_run_is_refused_with_what_to_name_instead(tmp_path: Path) -> None:
    write_atomically(tmp_path / "last.pt", {"config": "", "optimizer": {}})
    with pytest.raises(CheckpointError, match=r"name best\.pt or averaged\.pt beside it"):
        load_checkpoint(tmp_path / "last.pt")


@pytest.mark.parametrize("content", [{"weights": None}, {"weights": [1]}, {"config": None}])
def test_a_file_with_other_content_is_refused(tmp_path: Path, content: dict[str, object]) -> None:
    path = tmp_path / "best.pt"
    save(path, random_network())
    write_atomically(path, read(path) | content)
    with pytest.raises(CheckpointError, match=r"best\.pt is no model checkpoint"):
        load_checkpoint(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("num_values", [1, 1_000_000])
def test_a_full_disk_is_named_and_leaves_the_old_file_alone(
    tmp_path: Path, num_values: int
) -> None:
    path = tmp_path / "last.pt"
    write_atomically(path, {"step": 1})
    path.with_suffix(".tmp").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match=r"last\.pt cannot be written: No space left"):
        write_atomically(path, {"weights": torch.zeros(num_values)})
    assert read(path) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    write_atomically(path, {"step": 1})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        write_atomically(path, {"step": lambda: 2})
    assert read(path) == {"step": 1}
    write_atomically(path, {"step": 3})
    assert read(path) == {"step": 3}
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
