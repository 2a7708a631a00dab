"""The candidates graph: logits -> log-probabilities and the best tokens of every row.

Only beam search needs its output, so it is no part of the decoder graph, which greedy search runs
too.
"""

import numpy as np
import onnx

from bundle.tensors import candidates_spec
from export.graphs.builder import MASKED_SCORE, GraphBuilder

LARGEST_BLOCK = 128
"""Tokens of a block, whose maximum is compared first: one TopK over all tokens is three times
slower."""


def build_candidates(builder: GraphBuilder, vocab_size: int) -> onnx.ModelProto:
    """Append to an empty builder; see `bundle.tensors.candidates_spec`."""
    builder.produce("LogSoftmax", ["logits"], ["log_probs"], axis=-1)
    _best(builder, vocab_size)
    return builder.model("candidates", candidates_spec(vocab_size))


def _best(builder: GraphBuilder, vocab_size: int) -> None:
    """The best tokens are in the blocks with the best maxima."""
    block_size = _block_size(vocab_size)
    num_blocks = -(-vocab_size // block_size)
    blocks = _blocks(builder, (num_blocks, block_size), vocab_size)
    last = builder.constant([2], np.int64)
    chosen = _best_blocks(builder, builder.add("ReduceMax", blocks, last, keepdims=0), num_blocks)
    rows = builder.add("GatherND", blocks, builder.add("Unsqueeze", chosen, last), batch_dims=1)
    rows = builder.add("Reshape", rows, builder.constant([0, -1], np.int64))
    builder.produce("TopK", [rows, "num_candidates"], ["top_log_probs", "places"])
    size = builder.constant(block_size, np.int64)
    block = builder.add("GatherElements", chosen, builder.add("Div", "places", size), axis=1)
    start, offset = builder.add("Mul", block, size), builder.add("Mod", "places", size)
    builder.produce("Add", [start, offset], ["top_ids"])


def _best_blocks(builder: GraphBuilder, maxima: str, num_blocks: int) -> str:
    """As many blocks as candidates, in ascending order, so that equal tokens stay in order."""
    number = builder.add("Min", "num_candidates", builder.constant([num_blocks], np.int64))
    _, chosen = builder.add_many("TopK", maxima, number, outputs=2)
    ascending, _ = builder.add_many("TopK", chosen, number, outputs=2, largest=0)
    return ascending


def _block_size(vocab_size: int) -> int:
    """A divisor of the vocabulary if there is one, which needs no padding."""
    divisors = (n for n in range(LARGEST_BLOCK, LARGEST_BLOCK // 2, -1) if vocab_size % n == 0)
    return next(divisors, LARGEST_BLOCK)


def _blocks(builder: GraphBuilder, shape: tuple[int, int], vocab_size: int) -> str:
    """[rows, blocks, block]; the last block is padded with masked tokens."""
    log_probs = "log_probs"
    missing = shape[0] * shape[1] - vocab_size
    if missing:
        pads = builder.constant([0, 0, 0, missing], np.int64)
        masked = builder.constant(MASKED_SCORE, np.float32)
        log_probs = builder.add("Pad", log_probs, pads, masked)
    return builder.add("Reshape", log_probs, builder.constant([0, *shape], np.int64))
