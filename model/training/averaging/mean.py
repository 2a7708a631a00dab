"""The mean of the weights of several checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from model.errors import CheckpointError
from model.training.checkpoint import (
    AVERAGED_NAME,
    TOKENIZER_NAME,
    Checkpoint,
    check_vocabulary,
    load_checkpoint,
    save_model,
)
from model.training.lineage import merged


def mean_weights(weights: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean by name, in double precision before it is rounded to fp32.

    Args:
        weights: One or more, all with the same names and shapes.
    """
    return {
        name: torch.stack([each[name].double() for each in weights]).mean(dim=0).float()
        for name in weights[0]
    }


def average_checkpoints(paths: Sequence[Path], out: Path) -> Path:
    """Write the mean of the checkpoints at `paths` as `averaged.pt` and its vocabulary.

    Models of which one was trained from another are close enough for their mean to have a lower
    loss than each of them: Wortsman et al. (2022), "Model soups". Configuration, progress and
    number of pairs are those of the last checkpoint; the lineage has the stages of all.

    Args:
        paths: At least two, each with its `source.spm` beside it.
        out: Folder to write to, without an `averaged.pt`.

    Returns:
        Path of the file.

    Raises:
        CheckpointError: A checkpoint cannot be read, has weights that are not finite or differs
            from the last one in architecture or vocabulary, there is only one, or the file exists
            already.
    """
    written = out / AVERAGED_NAME
    if len(paths) < 2:
        raise CheckpointError("a mean needs two checkpoints or more: name another one")
    if written.exists():
        raise CheckpointError(f"{written} exists already: name another folder")
    checkpoints = [load_checkpoint(path) for path in paths]
    last = checkpoints[-1]
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        _check_fits(path, checkpoint, last)
    out.mkdir(parents=True, exist_ok=True)
    (out / TOKENIZER_NAME).write_bytes(last.tokenizer_path.read_bytes())
    save_model(
        written,
        last.model.architecture,
        mean_weights([dict(each.model.named_parameters()) for each in checkpoints]),
        last.progress,
        config_text=last.config_text,
        num_pairs=last.num_pairs,
        lineage=merged(each.lineage for each in checkpoints),
    )
    return written


def _check_fits(path: Path, checkpoint: Checkpoint, last: Checkpoint) -> None:
    ours, others = asdict(checkpoint.model.architecture), asdict(last.model.architecture)
    unlike = [
        f"{name} {ours[name]}, not {others[name]}" for name in ours if ours[name] != others[name]
    ]
    if unlike:
        raise CheckpointError(f"{path} has another architecture: {', '.join(unlike)}")
    weights = checkpoint.model.named_parameters()
    spoilt = [name for name, weight in weights if not bool(weight.isfinite().all())]
    if spoilt:
        raise CheckpointError(
            f"{path} has weights that are not finite, in {len(spoilt)} of its parameters such as "
            f"{spoilt[0]}: leave it out"
        )
    check_vocabulary(path, last.tokenizer_path)
