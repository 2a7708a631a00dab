"""Passes over one finished pair that ask for causes or for states; NumPy in, NumPy out.

A pair runs alone, so nothing depends on a neighbour. A *place* is a token that is taken away: the
source tokens come first, then the decoder's inputs, the start token and all targets but the last.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.engine.graphs.sessions import Sessions

Float32 = NDArray[np.float32]
Places = tuple[int, int]
"""First place and the one behind the last."""
_KINDS = ("encoder", "decoder", "cross")
_PARTS = ("attention", "values", "residual", "result")
_MAX_VECTORS = 4096
"""Vectors of a width of some hundreds that are held at once: a few megabytes."""


def zeroed_distances(
    sessions: Sessions, source: Sequence[int], target: Sequence[int], places: Places
) -> tuple[Float32, Float32]:
    """How far each layer's output moves without the values of one token.

    Args:
        sessions: Of a bundle with the graph of value zeroing.
        source: Source ids, end token included.
        target: Target ids with the end token, without the start token.
        places: The tokens whose values are zeroed, one at a time.

    Returns:
        Distances of the encoder's layers, float32 [places, layers, source], and of the decoder's,
        float32 [places, layers, target].
    """
    keep = _without_each(len(source) + len(target), places)
    feeds = {
        **_repeated(sessions, source, target, len(keep)),
        "base_rows": np.zeros(len(keep), np.int64),
        "source_keep": np.ascontiguousarray(keep[:, : len(source)]),
        "target_keep": np.ascontiguousarray(keep[:, len(source) :]),
    }
    names = ["encoder_distances", "decoder_distances"]
    encoder, decoder = sessions.value_zeroing.run(names, feeds)
    return np.asarray(encoder[1:]), np.asarray(decoder[1:])


def occluded_log_probs(
    sessions: Sessions, source: Sequence[int], target: Sequence[int], places: Places
) -> tuple[Float32, Float32]:
    """Log-probabilities of the target without each of some tokens.

    Args:
        sessions: Of any bundle.
        source: As for `zeroed_distances`.
        target: Likewise.
        places: The tokens that the unknown token replaces, one at a time.

    Returns:
        Of the whole pair, float32 [target], and without each token, float32 [places, target]; nats.
    """
    ids = sessions.bundle.manifest.special_ids
    keep = _without_each(len(source) + len(target), places) > 0
    feeds = _repeated(sessions, source, target, len(keep))
    feeds["source_ids"] = np.where(keep[:, : len(source)], feeds["source_ids"], ids.unk)
    feeds["target_ids"] = np.where(keep[:, len(source) :], feeds["target_ids"], ids.unk)
    feeds["label_ids"] = np.tile(np.array(target, np.int64), (len(keep), 1))
    (log_probs,) = sessions.attention.run(["log_probs"], feeds)
    return np.asarray(log_probs[0]), np.asarray(log_probs[1:])


def alti_layers(
    sessions: Sessions, source: Sequence[int], target: Sequence[int]
) -> tuple[Float32, Float32, Float32]:
    """What every token that an attention reads contributes to its output (Ferrando et al. 2022).

    Returns:
        Of the encoder, float32 [layers, source, source], of the decoder's self-attention, float32
        [layers, target, target], and of cross-attention, float32 [layers, target, source + 1],
        whose last column is what passes by it. Rows sum to 1.
    """
    names = [f"{kind}_{part}" for kind in _KINDS for part in _PARTS]
    outputs = sessions.alti.run(names, _repeated(sessions, source, target, 1))
    found = dict(zip(names, (output[0] for output in outputs), strict=True))
    layers = {
        kind: [
            token_contributions(*parts, is_own=kind != "cross")
            for parts in zip(*(found[f"{kind}_{part}"] for part in _PARTS), strict=True)
        ]
        for kind in _KINDS
    }
    encoder, decoder, cross = (np.stack(layers[kind]) for kind in _KINDS)
    return encoder, decoder, cross


def encoder_states(
    sessions: Sessions, source: Sequence[int], layers: Sequence[int], heads: Sequence[int]
) -> tuple[Float32, ...]:
    """What layers of the encoder compute.

    Args:
        sessions: Of a bundle with the graph of states.
        source: Source ids, end token included.
        layers: Of queries, keys, values and activations.
        heads: Of queries, keys and values.

    Returns:
        Queries, keys and values, each float32 [layers, heads, source, head_dim], activations of
        the feed-forward, float32 [layers, source, d_ff], and norms along the whole residual
        stream, float32 [1 + 2 * all layers, source].
    """
    feeds = {
        "source_ids": np.array([source], np.int64),
        "source_lengths": np.array([len(source)], np.int32),
    }
    names = ["queries", "keys", "values", "activations", "residual_norms"]
    *projections, activations, norms = (out[0] for out in sessions.states.run(names, feeds))
    chosen = np.ix_(layers, heads)
    return (*(each[chosen] for each in projections), activations[list(layers)], norms)


def token_contributions(
    attention: Float32, values: Float32, residual: Float32, result: Float32, *, is_own: bool
) -> Float32:
    """How near each token's vector brings the sum of all, ALTI's contribution of a token.

    `c_ij = max(0, |y_i| - |y_i - t_ij|)` in the L1 norm, as a share of its row (Ferrando et al.
    2022, "Measuring the Mixing of Contextual Information in the Transformer", equation 9). `y_i` is
    the output, `t_ij` the weighted sum over heads of the projected values of token j, and the
    residual connection in addition where it comes from the same token. Biases of values count as
    part of a value (Kobayashi et al. 2020); that of the projection belongs to no token.

    Args:
        attention: Weights, float32 [heads, query, key].
        values: Projected values, float32 [heads, key, d_model].
        residual: What passes by, float32 [query, d_model].
        result: The sum of all, float32 [query, d_model].
        is_own: Whether the residual of query i is that of key i; else it is a column of its own.

    Returns:
        float32 [query, key], or [query, key + 1] where the last column is the residual.
    """
    by_key = np.ascontiguousarray(values.transpose(1, 0, 2))
    weights = attention.transpose(2, 1, 0)  # [key, query, heads]
    step = max(1, _MAX_VECTORS // len(by_key))
    blocks = []
    for start in range(0, len(residual), step):
        queries = slice(start, start + step)
        vectors = (weights[:, queries] @ by_key).transpose(1, 0, 2)  # [query, key, d_model]
        blocks.append(_nearness(vectors, residual[queries], result[queries], start, is_own=is_own))
    return _as_shares(np.concatenate(blocks), is_own=is_own)


def _nearness(
    vectors: Float32, residual: Float32, result: Float32, start: int, *, is_own: bool
) -> Float32:
    if is_own:
        rows = np.arange(len(vectors))
        vectors = vectors.copy()
        vectors[rows, start + rows] += residual
    else:
        vectors = np.concatenate([vectors, residual[:, None]], axis=1)
    whole = np.abs(result).sum(axis=-1, keepdims=True)
    left = np.abs(result[:, None] - vectors).sum(axis=-1)
    return np.asarray(np.maximum(whole - left, 0))


def _as_shares(nearness: Float32, *, is_own: bool) -> Float32:
    """Rows that sum to 1; a row that nothing brings nearer is all residual."""
    total = nearness.sum(axis=-1, keepdims=True)
    num_queries, num_columns = nearness.shape
    alone = np.eye(num_queries, num_columns) if is_own else np.eye(1, num_columns, num_columns - 1)
    return np.asarray(np.where(total > 0, nearness / np.where(total > 0, total, 1), alone), "f4")


def _without_each(num_places: int, places: Places) -> Float32:
    """Ones, float32 [1 + places, all places]; every row but the first lacks one."""
    first, behind = places
    keep = np.ones((1 + behind - first, num_places), np.float32)
    keep[1 + np.arange(behind - first), np.arange(first, behind)] = 0
    return keep


def _repeated(
    sessions: Sessions, source: Sequence[int], target: Sequence[int], count: int
) -> dict[str, NDArray[np.generic]]:
    """A pair as so many rows of a batch."""
    ids = sessions.bundle.manifest.special_ids
    inputs = [ids.bos, *target[:-1]]
    return {
        "source_ids": np.tile(np.array(source, np.int64), (count, 1)),
        "source_lengths": np.full(count, len(source), np.int32),
        "target_ids": np.tile(np.array(inputs, np.int64), (count, 1)),
        "target_lengths": np.full(count, len(inputs), np.int32),
    }
