"""ALTI+ (Ferrando et al. 2022, "Towards Opening the Black Box of Neural Machine Translation")."""

from service.inspection.causes.composition import Float32, compose


def alti(encoder: Float32, decoder: Float32, cross: Float32) -> tuple[Float32, Float32]:
    """Multiply the contributions of all attentions; feed-forward networks mix no tokens.

    Args:
        encoder: float32 [layers, source, source].
        decoder: Of self-attention, float32 [layers, target, target].
        cross: float32 [layers, target, source + 1]; the last column is what passes by, the output
            of self-attention.
    """
    return compose(encoder, cross[:, :, -1:] * decoder, cross[:, :, :-1])
