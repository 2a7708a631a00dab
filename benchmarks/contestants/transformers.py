"""Hugging Face transformers on the same weights, in torch."""

import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the package is imported

import torch
from transformers import AutoModelForSeq2SeqLM

from benchmarks.contestants.generation import Generator, generate_all
from benchmarks.contestants.interface import Contestant, Request, Threads

POSITIONS_NAME = "positions.pt"


def open_contestant(contestant: Contestant, threads: Threads) -> "Transformers":
    """Load the model."""
    return Transformers(load_network(contestant.folder), contestant, threads)


def load_network(folder: Path, **options: str) -> Generator:
    """A model with its own positions, in evaluation mode; `options` are of `from_pretrained`."""
    network = AutoModelForSeq2SeqLM.from_pretrained(folder, **options).eval()
    positions = torch.load(folder / POSITIONS_NAME, weights_only=True)
    with torch.no_grad():
        for stack in (network.model.encoder, network.model.decoder):
            stack.embed_positions.weight.copy_(positions)
    generator: Generator = network
    return generator


class Transformers:
    """`generate` on padded batches."""

    def __init__(self, model: Generator, contestant: Contestant, threads: Threads) -> None:
        self._model = model
        self._contestant = contestant
        self._threads = threads

    def translate(
        self, requests: Sequence[Request], *, batch: int, beam: int
    ) -> list[tuple[int, ...]]:
        """See `Engine`."""
        torch.set_num_threads(self._threads.intra)  # of the process: others may have set it
        order = self._contestant.order
        return generate_all(self._model, requests, batch=batch, beam=beam, order=order)

    def close(self) -> None:
        """See `Engine`: there is nothing but the memory that goes with the object."""
