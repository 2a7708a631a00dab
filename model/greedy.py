"""Greedy decoding with a key/value cache, for validation and parity tests."""

from collections.abc import Sequence

import torch
from torch import Tensor

from model.transformer import Transformer


@torch.inference_mode()
def greedy_translate(
    model: Transformer, sources: Sequence[Sequence[int]], *, max_tokens: int
) -> list[list[int]]:
    """Translate a batch of sentences, taking the likeliest token at every step.

    Args:
        model: In evaluation mode.
        sources: Source ids, end token included.
        max_tokens: Longest output, end token included.

    Returns:
        Target ids without start and end token.
    """
    architecture = model.architecture
    device = next(model.parameters()).device
    padded = pad_sources(sources, architecture.pad_id)
    source_ids, source_mask = (tensor.to(device) for tensor in padded)
    memory = model.encode(source_ids, source_mask)
    cache = model.new_cache()
    newest = torch.full((len(sources), 1), architecture.bos_id, device=device)
    steps: list[Tensor] = []
    is_finished = torch.zeros(len(sources), dtype=torch.bool, device=device)
    while len(steps) < max_tokens and not bool(is_finished.all()):
        logits = model.decode(newest, memory, source_mask, cache)[:, -1]
        newest = logits.argmax(dim=-1, keepdim=True)
        steps.append(newest)
        is_finished |= newest[:, 0] == architecture.eos_id
    rows = torch.cat(steps, dim=1).tolist()
    return [_until(row, architecture.eos_id) for row in rows]


def pad_sources(sources: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Ids int64 [batch, source] and mask bool [batch, source], True on tokens."""
    width = max(map(len, sources))
    ids = torch.tensor([[*s, *[pad_id] * (width - len(s))] for s in sources])
    lengths = torch.tensor([len(s) for s in sources])
    return ids, torch.arange(width)[None, :] < lengths[:, None]


def _until(row: list[int], eos_id: int) -> list[int]:
    return row[: row.index(eos_id)] if eos_id in row else row
