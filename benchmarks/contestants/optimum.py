"""Optimum's onnxruntime models on the same weights."""

import os
from collections.abc import Sequence

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the packages are imported

import onnxruntime as ort
import torch
from optimum.onnxruntime import ORTModelForSeq2SeqLM

from benchmarks.contestants.generation import Generator, generate_all
from benchmarks.contestants.interface import Contestant, Request, Threads


def open_contestant(contestant: Contestant, threads: Threads) -> "Optimum":
    """Load the graphs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads.intra
    model = ORTModelForSeq2SeqLM.from_pretrained(contestant.folder, session_options=options)
    return Optimum(model, contestant)


class Optimum:
    """`generate` on padded batches."""

    def __init__(self, model: Generator, contestant: Contestant) -> None:
        self._model = model
        self._contestant = contestant

    def translate(
        self, requests: Sequence[Request], *, batch: int, beam: int
    ) -> list[tuple[int, ...]]:
        """See `Engine`."""
        torch.set_num_threads(1)  # between the graphs' runs there is nothing to share
        order = self._contestant.order
        return generate_all(self._model, requests, batch=batch, beam=beam, order=order)

    def close(self) -> None:
        """See `Engine`: there is nothing but the memory that goes with the object."""
