"""Two processes of which the second meets a gradient that is no number; torchrun starts both.

Arguments: a configuration, the folder of its data, the folder of the run.
"""

import sys
from pathlib import Path

import torch

from model.config import parse_config
from model.training.preparation import prepare
from model.training.processes import Processes, joined_processes
from model.training.trainer import Trainer
from tests.model.runs import spoil_gradients


def train(text: str, data: Path, out: Path, processes: Processes) -> None:
    """Leave each process's progress and weights in `out`."""
    config = parse_config(text, where="test")
    if processes.is_first:
        out.mkdir()
        prepare(config, data, out)
    processes.wait()
    prepared = prepare(config, data, out, is_resumed=True)
    trainer = Trainer(config, text, prepared, out, processes=processes)
    if not processes.is_first:
        spoil_gradients(trainer, {2})
    progress = trainer.run()
    content = {"num_skipped": progress.num_skipped, "weights": trainer._model.state_dict()}
    torch.save(content, out / f"process-{processes.rank}.pt")


with joined_processes("cpu") as joined:
    train(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), joined)
