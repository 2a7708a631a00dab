"""The checkpoint files of a run, written and read."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.architecture import Architecture
from model.config import RunConfig, parse_recorded_config
from model.errors import CheckpointError
from model.training.lineage import RANDOM, Lineage, Stage, read_lineage
from model.transformer import Transformer

LAST_NAME = "last.pt"
BEST_NAME = "best.pt"
AVERAGED_NAME = "averaged.pt"
TOKENIZER_NAME = "source.spm"
CONFIG_NAME = "config.toml"
LOG_NAME = "log.jsonl"
RECENT_NAME = "recent"
BOARD_NAME = "tensorboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Position of a run: its counters and its clock."""

    step: int = 0
    """Updates so far, those that were skipped included."""
    num_skipped: int = 0
    """Updates whose gradients were not finite: they changed nothing."""
    num_skipped_in_row: int = 0
    """Updates skipped since the last that was finite."""
    epoch: int = 0
    position: int = 0
    """Index of the next batch in the epoch."""
    target_tokens: int = 0
    seconds: float = 0.0
    """Wall-clock time over all resumes."""
    best_chrf: float = -1.0
    num_stale: int = 0
    """Validations since the one with `best_chrf`."""
    validated_step: int = 0
    """Step of the latest validation."""
    decay_begins_s: float | None = None
    """Clock at which a decay was requested; its end then replaces the budget."""
    decay_ends_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained model and the record of its training."""

    model: Transformer
    """fp32, in evaluation mode."""
    config: RunConfig
    config_text: str
    progress: Progress
    lineage: Lineage
    """All stages of training; `progress` is that of the last."""
    num_pairs: dict[str, int]
    """Training pairs of the last stage by source."""
    tokenizer_path: Path


def save_model(
    path: Path,
    architecture: Architecture,
    weights: dict[str, torch.Tensor],
    progress: Progress,
    *,
    config_text: str,
    num_pairs: dict[str, int],
    lineage: Lineage | None = None,
) -> None:
    """Write a model, complete but for its tokenizer; tied weights are stored once.

    Args:
        lineage: Its stages of training; None if only the last is known.
    """
    content: dict[str, Any] = {
        "architecture": asdict(architecture),
        "weights": {name: weight.detach().clone() for name, weight in weights.items()},
        "progress": asdict(progress),
        "config": config_text,
        "num_pairs": num_pairs,
    }
    if lineage is not None:
        content["lineage"] = lineage.as_dict()
    write_atomically(path, content)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read `best.pt` or `averaged.pt`.

    Raises:
        CheckpointError: It is missing or broken, or its weights do not fit its architecture.
    """
    content = read(path)
    try:
        model = Transformer(Architecture(**content["architecture"]))
        load_weights(model, content["weights"])
        config = parse_recorded_config(content["config"], where=str(path))
        progress = Progress(**content["progress"])
        return Checkpoint(
            model=model.eval(),
            config=config,
            config_text=content["config"],
            progress=progress,
            lineage=(
                read_lineage(content["lineage"])
                if "lineage" in content
                else lineage_of_run(config, progress, began_from=None)
            ),
            num_pairs=content["num_pairs"],
            tokenizer_path=path.parent / TOKENIZER_NAME,
        )
    except (KeyError, TypeError, AttributeError) as error:
        if "optimizer" in content:
            raise CheckpointError(
                f"{path} holds the state of a run: name {BEST_NAME} or {AVERAGED_NAME} beside it"
            ) from error
        raise CheckpointError(f"{path} is no model checkpoint: {error!r}") from error


def lineage_of_run(config: RunConfig, progress: Progress, *, began_from: Lineage | None) -> Lineage:
    """The stages of a run's weights at its present position.

    Args:
        config: Configuration of the run.
        progress: Its position.
        began_from: Lineage of its initial weights; None if unknown.
    """
    stage = Stage(
        name=config.name,
        seed=config.training.seed,
        steps=progress.step,
        target_tokens=progress.target_tokens,
        minutes=round(progress.seconds / 60, 1),
        began_from=None if began_from is None else began_from.mean_of,
    )
    return (began_from or RANDOM).followed_by(stage)


def load_weights(model: Transformer, weights: dict[str, torch.Tensor]) -> None:
    """Copy named weights into `model`.

    Raises:
        CheckpointError: A parameter is missing or has another shape; names all of them.
    """
    parameters = dict(model.named_parameters())
    check_weights(parameters, weights)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def check_weights(parameters: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Check that `weights` has the names and shapes of `parameters`.

    Raises:
        CheckpointError: A parameter is missing or has another shape; names all of them.
    """
    faults = [f"{n}: missing" for n in sorted(parameters.keys() - weights.keys())]
    faults += [f"{n}: unknown" for n in sorted(weights.keys() - parameters.keys())]
    faults += [
        f"{n}: {list(weights[n].shape)}, not {list(p.shape)}"
        for n, p in parameters.items()
        if n in weights and weights[n].shape != p.shape
    ]
    if faults:
        raise CheckpointError(f"weights do not fit the architecture: {'; '.join(faults)}")


def check_vocabulary(path: Path, expected: Path) -> None:
    """Check that the vocabulary beside the checkpoint at `path` is that of the file `expected`.

    Raises:
        CheckpointError: It differs, or one of the two files is missing.
    """
    found = path.parent / TOKENIZER_NAME
    missing = [str(file) for file in (found, expected) if not file.exists()]
    if missing:
        raise CheckpointError(f"{path} cannot be compared: no vocabulary {', '.join(missing)}")
    if found.read_bytes() != expected.read_bytes():
        raise CheckpointError(f"{path} has another vocabulary than {expected}")


def read(path: Path) -> dict[str, Any]:
    """Content of a checkpoint file, read without running code from it.

    Raises:
        CheckpointError: It is missing or broken.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice is for its own users
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or "it is cut short"
        raise CheckpointError(f"checkpoint {path} cannot be read: {reason}") from error
    except Exception as error:  # unpickling broken bytes can raise any exception
        # torch's own message may advise to load the file unsafely.
        raise CheckpointError(
            f"checkpoint {path} cannot be read: it is cut short, or not a checkpoint of this "
            "project; code in a checkpoint is never run"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is no checkpoint of this project")
    return content


def write_atomically(path: Path, content: dict[str, Any]) -> None:
    """Write so that a crash leaves either the old file or the new one, complete.

    Raises:
        CheckpointError: It cannot be written, as on a full disk; nothing is left of it.
    """
    staged = path.with_suffix(".tmp")
    try:
        with staged.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except (OSError, RuntimeError) as error:  # torch raises a RuntimeError where a write failed
        cause = error if isinstance(error, OSError) else error.__context__
        reason = cause.strerror if isinstance(cause, OSError) else "the disk may be full"
        raise CheckpointError(f"{path} cannot be written: {reason}") from error
    finally:
        staged.unlink(missing_ok=True)
