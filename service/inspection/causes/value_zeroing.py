"""Value zeroing (Mohebbi et al. 2023, "Quantifying Context Mixing in Transformers")."""

from service.inspection.causes.composition import Float32, as_shares, compose


def value_zeroing(encoder: Float32, decoder: Float32) -> tuple[Float32, Float32]:
    """Shares of how far a layer's output moves when one token's values are zero, multiplied.

    `c_ij = 1 - cos(x_i, x_i without j)` as a share of its row, where `x_i` is the layer's whole
    output, feed-forward included. In the decoder a source token has no values in cross-attention,
    an earlier target token none in self-attention (or it does not enter the state of a recurrence).
    The layers are then rolled out (their section 3, with equation 2 of Abnar and Zuidema).

    Args:
        encoder: Distances by the token that is zeroed, float32 [source + target, layers, source].
        decoder: Likewise, float32 [source + target, layers, target].
    """
    num_source, num_target = encoder.shape[-1], decoder.shape[-1]
    nothing = encoder[:0].transpose(1, 2, 0)
    _, read = as_shares(nothing, encoder[:num_source].transpose(1, 2, 0))
    moved = decoder.transpose(1, 2, 0)  # [layers, target, source + target]
    assert moved.shape[-1] == num_source + num_target
    cross, own = as_shares(moved[..., :num_source], moved[..., num_source:])
    return compose(read, own, cross)
