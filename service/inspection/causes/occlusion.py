"""Occlusion (Zeiler and Fergus 2014; of tokens: Li et al. 2016, "Understanding ... by Erasure")."""

import numpy as np

from service.inspection.causes.composition import Float32, as_shares


def occlusion(whole: Float32, without: Float32, num_source: int) -> tuple[Float32, Float32]:
    """Shares of how much a token's log-probability changes when another is unknown.

    `c_ij = |log p(y_i) - log p(y_i without j)|` as a share of its row. It is no product of layers:
    the whole model runs once for every token.

    Args:
        whole: Log-probabilities with all tokens, float32 [target].
        without: By the token that is replaced, float32 [source + target, target].
        num_source: Source tokens.
    """
    change = np.abs(without - whole).T
    return as_shares(change[:, :num_source], np.tril(change[:, num_source:]))
