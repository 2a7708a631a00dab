"""Batched translation with `generate`, shared by transformers and Optimum."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmarks.contestants.interface import LENGTH_PENALTY, Order, Request, groups_of, limit_of


class Generator(Protocol):
    """A model with Hugging Face's `generate`."""

    config: Any

    def generate(self, **arguments: object) -> Tensor:
        """Target ids [batch, target], start token first, padded after the end token."""


def generate_all(
    model: Generator, requests: Sequence[Request], *, batch: int, beam: int, order: Order
) -> list[tuple[int, ...]]:
    """Target ids of every sentence, without start and end token."""
    results: dict[int, tuple[int, ...]] = {}
    for group in groups_of(requests, batch, order):
        targets = _generate(model, [requests[i] for i in group], beam)
        results.update(zip(group, targets, strict=True))
    return [results[i] for i in range(len(requests))]


def _generate(model: Generator, requests: Sequence[Request], beam: int) -> list[tuple[int, ...]]:
    sources = [torch.tensor(request.source_ids) for request in requests]
    pad_id, eos_id = model.config.pad_token_id, model.config.eos_token_id
    input_ids = torch.nn.utils.rnn.pad_sequence(sources, batch_first=True, padding_value=pad_id)
    lengths = torch.tensor([len(source) for source in sources])
    with torch.inference_mode():
        targets = model.generate(
            input_ids=input_ids,
            attention_mask=(torch.arange(input_ids.shape[1]) < lengths[:, None]).long(),
            num_beams=beam,
            do_sample=False,
            **({"length_penalty": LENGTH_PENALTY} if beam > 1 else {}),
            max_length=None,
            max_new_tokens=limit_of(requests),
            min_new_tokens=requests[0].min_target_tokens or None,
        )
    return [_until(row, eos_id) for row in targets[:, 1:].tolist()]


def _until(ids: list[int], eos_id: int) -> tuple[int, ...]:
    return tuple(ids[: ids.index(eos_id)] if eos_id in ids else ids)
