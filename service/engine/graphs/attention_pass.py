"""The teacher-forced pass: attention maps and log-probabilities of finished sentence pairs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.graphs.encoder import pad
from service.engine.graphs.sessions import Sessions

_NAMES = {
    "encoder": "encoder_attention",
    "decoder": "decoder_attention",
    "cross": "cross_attention",
    "log_probs": "log_probs",
}
"""The graph's outputs by the fields of `PairAttention`."""
EVERY_OUTPUT = frozenset(_NAMES)
_NO_MAPS = np.empty((0, 0, 0, 0), dtype=np.float32)
_NO_LOG_PROBS = np.empty(0, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAttention:
    """Attention of one pair, without padding; every row sums to 1.

    What was not wanted is empty.
    """

    encoder: NDArray[np.float32]
    """float32 [layers, heads, source, source]."""
    decoder: NDArray[np.float32]
    """Lower-triangular, float32 [layers, heads, target, target]."""
    cross: NDArray[np.float32]
    """float32 [layers, heads, target, source]."""
    log_probs: NDArray[np.float32]
    """Log-probability of every target token, nats, float32 [target]."""


def attend(
    sessions: Sessions,
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    wanted: Collection[str] = EVERY_OUTPUT,
) -> list[PairAttention]:
    """Run the attention graph on a padded batch of pairs.

    Args:
        sessions: Sessions of the bundle.
        sources: Source ids, end token included.
        targets: Target ids with the end token, without the start token.
        wanted: Fields of `PairAttention` to take out of the graph.
    """
    ids = sessions.bundle.manifest.special_ids
    source_ids, source_lengths = pad(sources, ids.pad)
    label_ids, target_lengths = pad(targets, ids.pad)
    target_ids, _ = pad([[ids.bos, *target[:-1]] for target in targets], ids.pad)
    feeds = {
        "source_ids": source_ids,
        "source_lengths": source_lengths,
        "target_ids": target_ids,
        "target_lengths": target_lengths,
        "label_ids": label_ids,
    }
    fields = [name for name in _NAMES if name in wanted]
    outputs = sessions.attention.run([_NAMES[name] for name in fields], feeds)
    return [
        _without_padding(dict(zip(fields, values, strict=True)), source, target)
        for values, source, target in zip(
            zip(*outputs, strict=True), source_lengths, target_lengths, strict=True
        )
    ]


def _without_padding(
    found: dict[str, NDArray[np.float32]], source: int, target: int
) -> PairAttention:
    encoder, decoder, cross = (
        found.get(name, _NO_MAPS) for name in ("encoder", "decoder", "cross")
    )
    return PairAttention(
        encoder=encoder[:, :, :source, :source],
        decoder=decoder[:, :, :target, :target],
        cross=cross[:, :, :target, :source],
        log_probs=found.get("log_probs", _NO_LOG_PROBS)[:target],
    )
