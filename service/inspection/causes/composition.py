"""Joins what every layer makes of its inputs to what each target token comes from."""

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def compose(encoder: Float32, decoder: Float32, cross: Float32) -> tuple[Float32, Float32]:
    """Multiply the shares of all layers, from the tokens up to the last layer.

    The encoder's layers are multiplied as in attention rollout (Abnar and Zuidema 2020). In the
    decoder a row has a share from the encoder's output and one from the tokens below it, each of
    which has such shares again (Ferrando et al. 2022, "Towards Opening the Black Box of Neural
    Machine Translation", section 3): with `E` for the encoder, and `X` and `D` for the two parts of
    a decoder layer, `S <- X E + D S` and `T <- D T`, beginning with `S = 0` and `T = 1`.

    Args:
        encoder: float32 [layers, source, source]; rows sum to 1.
        decoder: Shares from the decoder's inputs, float32 [layers, target, target].
        cross: Shares from the encoder's output, float32 [layers, target, source]; a row sums to 1
            together with that of `decoder`.

    Returns:
        Shares of the source tokens, float32 [target, source], and of the decoder's inputs, float32
        [target, target]; a row of both sums to 1.
    """
    read = np.eye(encoder.shape[-1])
    for layer in encoder.astype(np.float64):
        read = layer @ read
    source = np.zeros(cross.shape[1:])
    prefix = np.eye(decoder.shape[-1])
    for own, other in zip(decoder.astype(np.float64), cross.astype(np.float64), strict=True):
        source = other @ read + own @ source
        prefix = own @ prefix
    return source.astype(np.float32), prefix.astype(np.float32)


def as_shares(source: Float32, prefix: Float32) -> tuple[Float32, Float32]:
    """Two parts of rows, scaled so that a row of both sums to 1.

    A row of zeros says that nothing matters: all of it is given to the token before, its residual.

    Args:
        source: None negative, float32 [.., target, source].
        prefix: Likewise, float32 [.., target, target].
    """
    total = source.sum(axis=-1, keepdims=True) + prefix.sum(axis=-1, keepdims=True)
    scale = np.where(total > 0, total, 1)
    alone = np.eye(prefix.shape[-1], dtype=np.float32)
    return (
        np.asarray(source / scale, dtype=np.float32),
        np.asarray(np.where(total > 0, prefix / scale, alone), dtype=np.float32),
    )
